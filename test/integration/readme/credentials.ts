import { Injectable } from '@nestjs/common';

/** As an application has one. */
@Injectable()
export class Secrets {
  user = 'search';
  password = 'hush-hush-first';

  async read(_name: string): Promise<{ user: string; password: string }> {
    return { user: this.user, password: this.password };
  }
}

// #region credentials
import { ConfigService } from '@nestjs/config';
import { MilvusModule, MilvusRegistry } from 'nestjs-milvus';

export const milvus = MilvusModule.forRootAsync({
  extraProviders: [Secrets],
  inject: [ConfigService, Secrets],
  useFactory: (config: ConfigService, secrets: Secrets) => ({
    address: config.getOrThrow<string>('MILVUS_ADDRESS'),
    credentials: async () => {
      const { user, password } = await secrets.read('milvus');
      return { username: user, password };
    },
  }),
});

/** Where somebody tells that the secret has changed, nobody needs to be refused first. */
export function onSecretChanged(registry: MilvusRegistry): Promise<void> {
  return registry.refreshCredentials();
}
// #endregion
