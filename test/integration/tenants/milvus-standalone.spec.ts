import { beforeAll, describe } from '@jest/globals';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { itKeepsTenantsApart } from './tenants.js';

beforeAll(() => MilvusStandalone.install(), 900_000);

describe('tenants of a full Milvus are kept apart', () => {
  itKeepsTenantsApart(() => MilvusStandalone.start());
});
