import { Test } from '@nestjs/testing';
import { getMilvusToken } from 'nestjs-milvus';
import { AppModule } from '../src/app.module';
import { RoundTripController } from '../src/round-trip.controller';

it('boots with fakes in place of the clients, without Milvus', async () => {
  const ingest = { createCollection: jest.fn(), insert: async () => ({ insert_cnt: '3' }) };
  const search = { search: async () => ({ results: [{ id: '7', title: 'fake', score: 1 }] }) };
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(getMilvusToken('ingest'))
    .useValue(ingest)
    .overrideProvider(getMilvusToken('search'))
    .useValue(search)
    .compile();
  const app = await module.createNestApplication().init();

  const answer = await app.get(RoundTripController).run('books');

  expect(answer).toEqual({ inserted: 3, found: [[7, 'fake']] });
  expect(ingest.createCollection).toHaveBeenCalledWith(expect.objectContaining({ collection_name: 'books' }));
  await app.close();
});
