// Never run: tsc reads what a user sees of both entries. An entry whose types are not found, or are `any`, fails here.
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import type { MilvusClientOptions, MilvusRegistry, PooledMilvusClient } from 'nestjs-milvus';
import { MilvusLite } from 'nestjs-milvus/testing';

export function takesAnSdkClient(client: PooledMilvusClient): MilvusClient {
  return client;
}

export async function usesBothEntries(registry: MilvusRegistry): Promise<number> {
  const milvus = await MilvusLite.start({ port: 19_531 });
  const options: MilvusClientOptions = { address: milvus.address };
  const client: PooledMilvusClient = registry.get('search');
  const { code } = await client
    .hasCollection({ collection_name: String(options.address) })
    .then(it => it.status);
  await milvus.stop();
  return Number(code);
}

// @ts-expect-error: an address is text
export const wrongAddress: MilvusClientOptions = { address: 19_530 };

// @ts-expect-error: a port is a number
export const wrongPort = () => MilvusLite.start({ port: '19530' });
