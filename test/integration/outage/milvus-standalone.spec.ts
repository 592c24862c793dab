import { beforeAll, describe } from '@jest/globals';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { itLivesThroughOutages } from './outages.js';

beforeAll(() => MilvusStandalone.install(), 900_000);

describe('an application whose full Milvus is', () => {
  itLivesThroughOutages(() => MilvusStandalone.start());
});
