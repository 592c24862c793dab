import { jest } from '@jest/globals';

// Here, because jest's `testTimeout` does not reach the tests of a run with several projects.
jest.setTimeout(60_000);
