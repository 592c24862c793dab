import { expect } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import type { MilvusRetryOptions } from '../../../lib/index.js';
import { closeClients, pooledClient } from '../../support/pooled-client.js';
import { type Behaviour, executing, StubServer } from '../../support/stub-server.js';
import type { Promised } from './promises.js';
import { type Subject, subjects } from './subjects.js';

/** The default policy, but for its pauses. */
export const QUICK: MilvusRetryOptions = { maxAttempts: 3, initialDelayMs: 1, maxDelayMs: 2 };

/** A column of the table: how the client is told to retry, and for how long the server fails. */
interface Mode {
  retry: MilvusRetryOptions | false;
  fails: 'on and on' | 'once';
}

const modes: readonly Mode[] = [
  { retry: QUICK, fails: 'on and on' },
  { retry: QUICK, fails: 'once' },
  { retry: false, fails: 'on and on' },
  { retry: false, fails: 'once' },
];

/** A row of the table, but for the names of its cells. */
export interface Failure {
  behaviour: Behaviour;
  promised: Promised;
}

/** One subject in one mode, with a server and a client that are nobody else's. */
class Cell {
  private stub!: StubServer;
  private client!: PooledMilvusClient;

  constructor(
    private readonly subject: Subject,
    private readonly mode: Mode,
  ) {}

  get name(): string {
    const { retry, fails } = this.mode;
    return `${this.subject.name}${retry ? '' : ', retry: false'}; fails ${fails}`;
  }

  /** Whether it says more than its neighbour: where nothing is sent again, a server that works at last is never asked. */
  says({ sendsWithoutRetry }: Promised): boolean {
    const { retry, fails } = this.mode;
    return retry !== false || fails === 'on and on' || sendsWithoutRetry > 1;
  }

  async begin(): Promise<void> {
    this.stub = await StubServer.start();
    const { retry } = this.mode;
    const pool = { maxConnections: 1 };
    this.client = pooledClient(this.stub.address, { pool, retry, retryBudget: false });
  }

  /** What the server counted, and what the caller got. */
  async run(behaviour: Behaviour): Promise<string> {
    const { stub, client, subject, mode } = this;
    const { rpc } = subject;
    stub.resetCounts();
    stub.behave(rpc);
    stub.always(rpc, mode.fails === 'once' ? executing() : behaviour);
    if (mode.fails === 'once') stub.next(rpc, behaviour);
    const end = await subject.call(client).then(() => 'success', toWords);
    const executions = stub.executions(rpc);
    return inWords(stub.count(rpc), executions, end);
  }

  /** The same by the table. */
  promised({ sends, sendsWithoutRetry, error, unknown }: Promised, executes: boolean): string {
    const { subject, mode } = this;
    const { column } = subject;
    const all = mode.retry ? sends[column] : sendsWithoutRetry;
    if (!error) return inWords(all, executes ? all : 0, 'success');
    if (mode.fails === 'once' && all > 1) return inWords(2, executes ? 2 : 1, 'success');
    const write = column !== 'read';
    const context = { name: error[column], attempts: all || undefined, outcomeUnknown: unknown && write };
    return inWords(all, executes ? all : 0, toWords(context));
  }

  async end(): Promise<void> {
    await this.stub.stop();
  }
}

function inWords(sends: number, executions: number, end: string): string {
  return `sent ${sends}, executed ${executions}: ${end}`;
}

function toWords({
  name,
  attempts,
  outcomeUnknown,
}: {
  name: string;
  attempts?: number;
  outcomeUnknown?: boolean;
}): string {
  return `${name}, attempts ${attempts}${outcomeUnknown ? ', outcome unknown' : ''}`;
}

/** Every subject in every mode. */
export class Table {
  private readonly cells: readonly Cell[];

  constructor(which: readonly Subject[] = subjects) {
    this.cells = which.flatMap(subject => modes.map(mode => new Cell(subject, mode)));
  }

  async begin(): Promise<void> {
    await Promise.all(this.cells.map(cell => cell.begin()));
  }

  /** Puts one failure to all of them. */
  async expect({ behaviour, promised }: Failure, { executes = false } = {}): Promise<void> {
    const got: Record<string, string> = {};
    const wanted: Record<string, string> = {};
    const run = async (cell: Cell) => {
      if (!cell.says(promised)) return;
      const result = await cell.run(executes ? executing(behaviour) : behaviour);
      const expected = cell.promised(promised, executes);
      // What is right would hide what is not.
      if (result === expected) return;
      got[cell.name] = result;
      wanted[cell.name] = expected;
    };
    await Promise.all(this.cells.map(run));
    expect(got).toEqual(wanted);
  }

  async end(): Promise<void> {
    await closeClients();
    await Promise.all(this.cells.map(cell => cell.end()));
  }
}
