import { afterAll, beforeAll, expect, it } from '@jest/globals';
// #region real-milvus
import { Test, type TestingModule } from '@nestjs/testing';
import { getMilvusToken, MilvusModule, type PooledMilvusClient } from 'nestjs-milvus';
import { MilvusLite } from 'nestjs-milvus/testing';

let milvus: MilvusLite;
let app: TestingModule;

beforeAll(async () => {
  milvus = await MilvusLite.start(); // a real server: free port, temporary data, ends with this process
  app = await Test.createTestingModule({
    imports: [MilvusModule.forRoot({ address: milvus.address })],
  }).compile();
  await app.init();
}, 300_000); // the first start on a machine installs it

afterAll(async () => {
  await app.close();
  await milvus.stop();
});

it('knows no collections yet', async () => {
  const client = app.get<PooledMilvusClient>(getMilvusToken());
  const { data } = await client.showCollections();
  expect(data).toEqual([]);
});
// #endregion
