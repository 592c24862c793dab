import { AsyncResource } from 'node:async_hooks';
import { type Clock, systemClock } from './clock.js';

/** Of nobody's request: made when the package is loaded. */
const context = new AsyncResource('nestjs-milvus');

/**
 * For what outlives the request that caused it, as a connection does. In that one's asynchronous context it would keep the
 * request alive, and its log lines would bear the id of it for weeks.
 */
export function inBackground<Result>(work: () => Result): Result {
  return context.runInAsyncScope(work);
}

/** Its tasks run in nobody's context. */
export const backgroundClock: Clock = {
  now: systemClock.now,
  schedule: (task, delayMs, keepAlive) => inBackground(() => systemClock.schedule(task, delayMs, keepAlive)),
};
