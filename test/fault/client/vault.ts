import { Logger } from '@nestjs/common';
import { type MilvusClientOptions, MilvusRegistry, type PooledMilvusClient } from '../../../lib/index.js';
import { RecordedLog } from '../../support/nest-app.js';
import type { StubCall } from '../../support/stub-server.js';
import { ANY, answer, executing, StubServer, status } from '../../support/stub-server.js';

export const headerOf = (token: string) => Buffer.from(token, 'utf8').toString('base64');

/** A Milvus that knows one token at a time, and a vault that gives the one that is right. */
export class Vault {
  /** How often the function was asked. */
  asked = 0;
  /** What it does instead of giving the token. */
  instead?: () => Promise<{ token: string }>;
  /** The only one that Milvus takes. */
  valid = 'token-first';
  /** What the function gives, if not that. */
  gives?: string;
  /** What was sent, for each request that has an id. */
  private readonly sends = new Map<string, number>();

  constructor(readonly stub: StubServer) {
    stub.always(ANY, call => this.serve(call));
  }

  readonly credentials = async (): Promise<{ token: string }> => {
    this.asked += 1;
    if (this.instead) return this.instead();
    return { token: this.gives ?? this.valid };
  };

  /** From now on Milvus takes only another one. */
  rotate(token = `token-after-${this.valid}`): void {
    this.valid = token;
  }

  /** How often the RPC was sent that was sent most often; those with an id count. */
  get mostSends(): number {
    return Math.max(0, ...this.sends.values());
  }

  get refusals(): number {
    return this.stub.received.filter(({ executed }) => !executed).length;
  }

  private serve(call: StubCall): void {
    const id = call.metadata['client-request-id'];
    if (id) this.sends.set(`${call.rpc} ${id}`, (this.sends.get(`${call.rpc} ${id}`) ?? 0) + 1);
    const known = call.metadata['authorization'] === headerOf(this.valid);
    (known ? executing(answer()) : status(16, 'auth check failure'))(call);
  }
}

/** One test's Milvus, and the clients that it takes. */
interface Run {
  stub: StubServer;
  vault: Vault;
  registry: MilvusRegistry;
  log: RecordedLog;
}

export let run: Run;

/** Before each test. */
export async function beginRun(): Promise<void> {
  const stub = await StubServer.start();
  run = { stub, vault: new Vault(stub), registry: new MilvusRegistry(), log: new RecordedLog() };
  Logger.overrideLogger(run.log);
}

/** After each test. */
export async function endRun(): Promise<void> {
  await run.registry.close({ drainTimeoutMs: 0 });
  await run.stub.stop();
  Logger.overrideLogger(['fatal']);
}

/** A client whose function asks the vault. */
export function add(
  name = 'search',
  options: Partial<MilvusClientOptions> = {},
): Promise<PooledMilvusClient> {
  const { stub, vault, registry } = run;
  return registry.add(name, { address: stub.address, credentials: vault.credentials, ...options });
}

export const lazy = { startup: { mode: 'lazy' as const } };

/** The credentials of each request of one RPC, in their order. */
export function headers(rpc: string): (string | undefined)[] {
  return run.stub.calls(rpc).map(({ metadata }) => metadata['authorization']);
}
