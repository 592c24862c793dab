import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  getMilvusToken,
  MilvusAuthenticationError,
  type MilvusClientOptions,
  MilvusHealthIndicator,
  MilvusInitializationError,
  MilvusModule,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';

let milvus: MilvusStandalone;

beforeAll(async () => {
  await MilvusStandalone.install();
  milvus = await MilvusStandalone.start({ auth: true, tls: 'mutual' });
}, 900_000);

afterAll(() => milvus?.stop());

const secure = () => {
  const { ca, client } = milvus.certificates!;
  return {
    address: `https://root:Milvus@${milvus.address}`,
    tls: { ca: ca.file, cert: client.cert.file, key: client.key.pem },
  };
};

function boot(options: MilvusClientOptions) {
  @Module({ imports: [MilvusModule.forRoot({ name: 'secure', ...options })] })
  class AppModule {}

  return NestFactory.createApplicationContext(AppModule, { abortOnError: false });
}

/** The error that keeps the application from starting. */
const bootError = (options: MilvusClientOptions): Promise<Error> =>
  boot(options).then(
    app => app.close().then(() => Promise.reject(new Error('it started'))),
    error => error,
  );

describe('a Nest app on a full Milvus with authentication and mTLS', () => {
  it('calls, and is healthy', async () => {
    const app = await boot(secure());
    const client = app.get<PooledMilvusClient>(getMilvusToken('secure'));

    expect(await client.listUsers()).toMatchObject({
      status: { error_code: 'Success' },
      usernames: ['root'],
    });
    expect((await app.get(MilvusHealthIndicator).isHealthy('milvus')).milvus.status).toBe('up');
    await app.close();
    expect(client.pool.state).toBe('closed');
  });

  it('does not start with a wrong password, and says so at once', async () => {
    const error = await bootError({ ...secure(), username: 'root', password: 'hunter2' });

    expect(error).toBeInstanceOf(MilvusInitializationError);
    expect(error.cause).toBeInstanceOf(MilvusAuthenticationError);
    expect(error.message).toContain('"secure"');
    expect(error.message).toContain(milvus.address);
    expect(error.message).toContain('once');
    expect(error.message).not.toContain('hunter2');
  });

  it.each<[string, () => MilvusClientOptions, RegExp]>([
    [
      'without a client certificate',
      () => ({ ...secure(), tls: { ca: secure().tls.ca } }),
      /client certificate/,
    ],
    [
      'with an authority that did not sign the certificate',
      () => ({ ...secure(), tls: { ...secure().tls, ca: milvus.certificates!.otherCa.file } }),
      /`tls\.ca`/,
    ],
    ['in plain text', () => ({ address: milvus.address }), /TLS/],
  ])('does not start %s', async (_, options, remedy) => {
    const error = await bootError({ ...options(), startup: { timeoutMs: 2_000 } });

    expect(error).toBeInstanceOf(MilvusInitializationError);
    expect(error.message).toMatch(remedy);
    expect(error.message).toContain(milvus.address);
  });
});
