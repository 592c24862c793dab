// #region environment
import { ConfigService } from '@nestjs/config';
import { type MilvusClientOptions, MilvusModule } from 'nestjs-milvus';

export const fromEnvironment = MilvusModule.forRootAsync({
  inject: [ConfigService],
  useFactory: (config: ConfigService): MilvusClientOptions => ({
    // One or several; https://… is TLS, and user:password@ and /database may stand in it.
    address: config.getOrThrow<string>('MILVUS_ADDRESS').split(','),
    token: config.get('MILVUS_TOKEN'),
    database: config.get('MILVUS_DATABASE'),
    // What is undefined counts as not given. Everything in the environment is text: numbers are converted here.
    pool: { maxConnections: numberIn(config, 'MILVUS_MAX_CONNECTIONS') },
    timeouts: { readMs: numberIn(config, 'MILVUS_READ_TIMEOUT_MS') },
    startup: { mode: config.get('MILVUS_STARTUP') },
  }),
});

function numberIn(config: ConfigService, name: string): number | undefined {
  const text = config.get<string>(name);
  return text === undefined ? undefined : Number(text);
}
// #endregion
