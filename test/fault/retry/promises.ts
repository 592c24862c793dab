import type { Column } from './subjects.js';

/** What RPC-CATALOGUE.md promises of one failure, written down here a second time: nothing is taken from lib. */
export interface Promised {
  /** How often the server sees the RPC while it fails on: 3 is all that `retry` allows. */
  sends: Readonly<Record<Column, number>>;
  /** As that with `retry: false`. */
  sendsWithoutRetry: number;
  /** Name of the error's class; absent: the call succeeds. */
  error?: Readonly<Record<Column, string>>;
  /** Whether nobody can know what became of a write. */
  unknown: boolean;
}

const alike = <Value>(value: Value): Record<Column, Value> => ({
  read: value,
  repeatable: value,
  once: value,
  declared: value,
});

const allClasses = alike(3);
const allButOnce = { ...alike(3), once: 1 };
const readsOnly = { ...alike(3), repeatable: 1, once: 1 };
const noClass = alike(1);

const unavailable = alike('MilvusUnavailableError');
const refused = alike('MilvusServerError');
const inDoubt = (error: string) => ({ ...alike(error), once: 'MilvusOutcomeUnknownError' });

export const promised = {
  /** Nobody knows whether it was executed; the next attempt may do better. */
  lost: { sends: allButOnce, sendsWithoutRetry: 1, error: inDoubt('MilvusUnavailableError'), unknown: true },
  /** Nobody knows whether it was executed, and there is no sense in another attempt. */
  doubtful: { sends: noClass, sendsWithoutRetry: 1, error: inDoubt('MilvusServerError'), unknown: true },
  /** As that, but Milvus itself answered, with a code that its error keeps. */
  doubtfulAnswer: { sends: noClass, sendsWithoutRetry: 1, error: refused, unknown: true },
  doubtfulOnTheWay: {
    sends: noClass,
    sendsWithoutRetry: 1,
    error: inDoubt('MilvusUnavailableError'),
    unknown: true,
  },
  tooLarge: {
    sends: noClass,
    sendsWithoutRetry: 1,
    error: inDoubt('MilvusConnectionError'),
    unknown: true,
  },
  outOfTime: {
    sends: noClass,
    sendsWithoutRetry: 1,
    error: alike('MilvusDeadlineExceededError'),
    unknown: true,
  },
  /** HTTP/2 proves that the server did not look at it. */
  unprocessed: { sends: allClasses, sendsWithoutRetry: 1, error: unavailable, unknown: false },
  /** As that, and the connection takes no more calls: once more, free of charge. */
  unprocessedAndClosing: { sends: alike(4), sendsWithoutRetry: 2, error: unavailable, unknown: false },
  /** No connection, so that nothing was sent. */
  unsent: { sends: alike(0), sendsWithoutRetry: 0, error: unavailable, unknown: false },
  /** Milvus answered that it cannot now. */
  transient: { sends: allButOnce, sendsWithoutRetry: 1, error: refused, unknown: false },
  /** Milvus answered that the data is moving. */
  moving: { sends: readsOnly, sendsWithoutRetry: 1, error: refused, unknown: false },
  /** Milvus answered no. */
  refused: { sends: noClass, sendsWithoutRetry: 1, error: refused, unknown: false },
  notAuthenticated: {
    sends: noClass,
    sendsWithoutRetry: 1,
    error: alike('MilvusAuthenticationError'),
    unknown: false,
  },
  notMilvus: { sends: noClass, sendsWithoutRetry: 1, error: unavailable, unknown: false },
  answered: { sends: noClass, sendsWithoutRetry: 1, unknown: false },
} satisfies Record<string, Promised>;
