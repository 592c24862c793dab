const SLOTS = 10;

/** Counts of two kinds over the last while, in ten steps: what is older is forgotten. */
export class SlidingWindow {
  private readonly ones = new Uint32Array(SLOTS);
  private readonly others = new Uint32Array(SLOTS);
  private readonly stepMs: number;
  private step = Number.NEGATIVE_INFINITY;
  private slot = 0;

  constructor(windowMs: number) {
    this.stepMs = windowMs / SLOTS;
  }

  addOne(now: number): void {
    this.turn(now);
    this.ones[this.slot]!++;
  }

  addOther(now: number): void {
    this.turn(now);
    this.others[this.slot]!++;
  }

  /** @returns how many of each */
  counts(now: number): [ones: number, others: number] {
    this.turn(now);
    return [sum(this.ones), sum(this.others)];
  }

  clear(): void {
    this.ones.fill(0);
    this.others.fill(0);
  }

  private turn(now: number): void {
    const step = Math.floor(now / this.stepMs);
    if (step === this.step) return;
    const passed = Math.min(SLOTS, step - this.step);
    for (let each = 0; each < passed; each++) {
      this.slot = (this.slot + 1) % SLOTS;
      this.ones[this.slot] = 0;
      this.others[this.slot] = 0;
    }
    this.step = step;
  }
}

function sum(counts: Uint32Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
