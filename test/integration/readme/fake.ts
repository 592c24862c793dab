// #region fake
import type { Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { getMilvusToken } from 'nestjs-milvus';

/** Boots without any Milvus. */
export function withFakeMilvus(AppModule: Type, search: () => Promise<unknown>): Promise<TestingModule> {
  return Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(getMilvusToken())
    .useValue({ search })
    .compile();
}
// #endregion
