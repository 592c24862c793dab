export type Fate = 'acknowledged' | 'failed' | 'unknown';

/** The rows of one insert, by their numbers. */
export interface Batch {
  readonly numbers: readonly number[];
  /** What its writer was told; absent while it waits. */
  fate?: Fate;
}

/** Rows, by number. */
export interface Balance {
  acknowledged: number;
  failed: number;
  unknown: number;
  /** Of the unknown ones, those that are stored. */
  unknownStored: number;
  /** Acknowledged, and not stored. */
  lost: number[];
  /** Stored more than once. */
  doubled: number[];
  /** Reported as surely not executed, and stored. */
  ghosts: number[];
}

/** What the application knows of its rows: each has a number that is used for one insert only. */
export class Ledger {
  readonly batches: Batch[] = [];
  private rows = 0;

  /** Numbers given out so far: 0 up to this one. */
  get end(): number {
    return this.rows;
  }

  get waiting(): Batch[] {
    return this.batches.filter(({ fate }) => fate === undefined);
  }

  open(rows: number): Batch {
    const first = this.rows;
    const batch = { numbers: Array.from({ length: rows }, (_, index) => first + index) };
    this.rows += rows;
    this.batches.push(batch);
    return batch;
  }

  /** @param stored how many rows with a number there are */
  balance(stored: ReadonlyMap<number, number>): Balance {
    const numbers = (fate: Fate) => this.batches.flatMap(batch => (batch.fate === fate ? batch.numbers : []));
    const acknowledged = numbers('acknowledged');
    const failed = numbers('failed');
    const unknown = numbers('unknown');
    return {
      acknowledged: acknowledged.length,
      failed: failed.length,
      unknown: unknown.length,
      unknownStored: unknown.filter(number => stored.has(number)).length,
      lost: acknowledged.filter(number => !stored.has(number)),
      doubled: [...stored].filter(([, times]) => times > 1).map(([number]) => number),
      ghosts: failed.filter(number => stored.has(number)),
    };
  }
}

/** For a person: `20 (120-129, 300-309)`. */
export function listed(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range && range[1] === number - 1) range[1] = number;
    else ranges.push([number, number]);
  }
  if (ranges.length === 0) return '0';
  const shown = ranges.slice(0, 5).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  return `${numbers.length} (${shown.join(', ')}${ranges.length > 5 ? ' …' : ''})`;
}
