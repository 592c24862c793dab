import { jest } from '@jest/globals';

// Here, because jest's `testTimeout` does not reach the tests of a run with several projects.
jest.setTimeout(120_000);

// At once, not behind the rest of the file: later tests of a file may build on the earlier ones.
const retries = Number(process.env.TEST_RETRIES ?? 0);
if (retries > 0) jest.retryTimes(retries, { logErrorsBeforeRetry: true, retryImmediately: true });
