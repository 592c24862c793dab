import { beforeAll, describe } from '@jest/globals';
import { MilvusLite } from '../../../lib/testing/index.js';
import { itKeepsTenantsApart } from './tenants.js';

beforeAll(() => MilvusLite.install(), 900_000);

describe('tenants of a Milvus Lite are kept apart', () => {
  itKeepsTenantsApart(() => MilvusLite.start());
});
