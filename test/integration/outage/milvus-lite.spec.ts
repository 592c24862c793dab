import { beforeAll, describe } from '@jest/globals';
import { MilvusLite } from '../../../lib/testing/index.js';
import { itLivesThroughOutages } from './outages.js';

beforeAll(() => MilvusLite.install(), 900_000);

describe('an application whose Milvus Lite is', () => {
  itLivesThroughOutages(() => MilvusLite.start());
});
