import { runInThisContext } from 'node:vm';

/**
 * Jest gives tests a copy of `process`, also as `node:process`, on which nothing is ever reported. Rejections that nobody handles
 * need no listener: Jest fails the test, or the hook, in which they come.
 */
export const realProcess = runInThisContext('process') as typeof process;
