import { MilvusLite } from '../../../lib/testing/milvus-lite.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';

export interface Server {
  readonly address: string;
  readonly pid: number | undefined;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ServerKind {
  name: string;
  start(): Promise<Server>;
  /** Where the writers write, in turn. */
  collections: readonly string[];
  /** Whether a collection bears calls that come at once. */
  concurrent: boolean;
}

/**
 * It locks nothing. Of two inserts at once into a collection it writes a log that it cannot read after a SIGKILL, and
 * by two first calls at once it opens the collection twice. So each writer has a collection of its own.
 */
export const milvusLite: ServerKind = {
  name: 'Milvus Lite',
  start: () => MilvusLite.start(),
  collections: ['ledger0', 'ledger1', 'ledger2', 'ledger3'],
  concurrent: false,
};

export const fullMilvus: ServerKind = {
  name: 'a full Milvus',
  start: () => MilvusStandalone.start(),
  collections: ['ledger'],
  concurrent: true,
};
