import { inspect } from 'node:util';
import { expect, it } from '@jest/globals';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  getMilvusToken,
  type MilvusClientOptions,
  type MilvusError,
  MilvusHealthIndicator,
  MilvusInitializationError,
  MilvusModule,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { describeAddress, parseAddress } from '../../../lib/options/address.js';
import { RecordedLog } from '../../support/nest-app.js';
import { failureOf, SOON_MS } from '../../support/pooled-client.js';

const apps: INestApplicationContext[] = [];

/** Ends every application made so far. */
export async function closeBooted(): Promise<void> {
  await Promise.all(apps.splice(0).map(app => app.close()));
}

export interface Booted {
  client: PooledMilvusClient;
  /** What Terminus is told of the client. */
  health: () => Promise<object>;
  log: RecordedLog;
}

/** A Nest application with one client, named `secure`. */
export async function boot(options: MilvusClientOptions): Promise<Booted> {
  @Module({ imports: [MilvusModule.forRoot({ name: 'secure', health: { timeoutMs: 20_000 }, ...options })] })
  class AppModule {}

  const logger = new RecordedLog();
  const app = await NestFactory.createApplicationContext(AppModule, { abortOnError: false, logger });
  apps.push(app);
  return {
    client: app.get<PooledMilvusClient>(getMilvusToken('secure')),
    health: async () =>
      (await app.get(MilvusHealthIndicator).pingCheck('milvus', { client: 'secure' })).milvus,
    log: logger,
  };
}

export const ROOT = { username: 'root', password: 'Milvus' };
/** A password that no server knows. */
export const WRONG = 'hunter2';

/** What no error may show: passwords, tokens, also as they go over the wire, and the private key. */
function secretsOf({ address, token, username, password, tls }: MilvusClientOptions): string[] {
  const inUrl = parseAddress(address as string);
  const clear = [token, password, inUrl.password];
  const sent = [token, `${username}:${password}`, `${inUrl.username}:${inUrl.password}`];
  const key = typeof tls === 'object' ? String(tls.key ?? '').split('\n')[1] : undefined;
  return [...clear, ...sent.map(text => text && Buffer.from(text).toString('base64')), key].filter(
    (secret): secret is string => !!secret,
  );
}

export function expectNoSecret(options: MilvusClientOptions, shown: unknown): void {
  const text = inspect(shown, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null });
  for (const secret of secretsOf(options)) expect([secret, text.includes(secret)]).toEqual([secret, false]);
}

type ErrorClass = abstract new (...args: never[]) => MilvusError;

export interface Fault {
  options: () => MilvusClientOptions;
  /** What keeps the application from starting, and what a call gets. */
  error: ErrorClass;
  says: RegExp;
  remedy: RegExp;
  /** It may be over soon, so that a call waits, but no longer than its limit. Else it fails at once. */
  waits?: true;
}

/** So long that who is refused within it, or accepted, is seen to be so on a busy machine. */
const LIMIT_MS = 800;
/** So long that who fails sooner has not waited for a limit. */
const FAR_MS = 15_000;

/** The options of a fault, with all its time limits alike. */
function limited({ options, waits }: Fault): MilvusClientOptions {
  const limitMs = waits ? LIMIT_MS : FAR_MS;
  const { pool, ...others } = options();
  return {
    pool: { connectTimeoutMs: limitMs / 2, acquireTimeoutMs: limitMs, ...pool },
    startup: { timeoutMs: limitMs },
    timeouts: { readMs: limitMs },
    health: { timeoutMs: limitMs },
    ...others,
  };
}

async function expectInTime<T>({ waits }: Fault, task: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await task();
  const tookMs = performance.now() - startedAt;
  if (waits) expect(tookMs).toBeGreaterThan(LIMIT_MS * 0.9);
  expect(tookMs).toBeLessThan(waits ? LIMIT_MS + SOON_MS : FAR_MS / 2);
  return result;
}

/** Each fault twice: it keeps an application from starting, and is what a call of one gets that does not ask when it starts. */
export function itReports(faults: Record<string, Fault>): void {
  const each = it.each(Object.entries(faults));

  each('does not start with %s, and says why', async (_what, fault) => {
    const options = limited(fault);

    const error = await expectInTime(fault, () => failureOf<MilvusInitializationError>(boot(options)));

    expect(error).toBeInstanceOf(MilvusInitializationError);
    expect(error.client).toBe('secure');
    expect((error.cause as Error).constructor).toBe(fault.error);
    expect(error.message).toContain('Milvus client "secure" could not start');
    expect(error.message).toContain(describeAddress(parseAddress(options.address as string)));
    expect(error.message).toMatch(fault.says);
    expect(error.message).toMatch(fault.remedy);
    if (!fault.waits) expect(error.attempts).toBe(1);
    expectNoSecret(options, error);
  });

  each('that starts lazily with %s: a call and the health check say why', async (_what, fault) => {
    const options: MilvusClientOptions = { ...limited(fault), startup: { mode: 'lazy' } };
    const { client, health, log } = await boot(options);

    const [error, told, available] = await expectInTime(fault, () =>
      Promise.all([failureOf<MilvusError>(client.listDatabases()), health(), client.isAvailable()]),
    );

    expect(error.constructor).toBe(fault.error);
    expect([error.client, error.method]).toEqual(['secure', 'listDatabases']);
    expect(error.message).toContain('Milvus client "secure": listDatabases');
    expect(error.message).toContain(describeAddress(parseAddress(options.address as string)));
    expect(error.message).toMatch(fault.says);
    expect(error.message).toMatch(fault.remedy);
    expect(told).toMatchObject({ status: 'down', reason: expect.stringMatching(fault.remedy) });
    expect(available).toBe(false);
    expectNoSecret(options, [error, told, log.lines]);
  });
}
