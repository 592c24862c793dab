// HTTP load from clients that keep their connections alive and never pause: each sends its next request as soon as the
// last one is answered.
import { Agent, request } from 'node:http';

const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Sends GET (or `method`) and reads the answer to its end. Never rejects: what went wrong stands in the outcome.
 *
 * @returns {Promise<import('./shutdown-check.mjs').Outcome>}
 */
export function ask(url, { agent, method = 'GET' } = {}) {
  return new Promise(resolve => {
    const sentAt = performance.now();
    const outcome = { path: new URL(url).pathname, sentAt };
    const sent = request(url, { agent, method, timeout: REQUEST_TIMEOUT_MS });
    const failed = error =>
      resolve({ ...outcome, error: error.code ?? error.message, onUsedConnection: sent.reusedSocket });
    sent.once('error', failed);
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${REQUEST_TIMEOUT_MS} ms`)));
    sent.once('response', response => {
      response.once('error', failed);
      response.once('end', () =>
        resolve({ ...outcome, status: response.statusCode, answeredAt: performance.now() }),
      );
      response.resume();
    });
    sent.end();
  });
}

/** Clients in a loop, from `startLoad` until their first request that gets no answer. */
export function startLoad(urls, clients) {
  const outcomes = [];
  const inFlight = new Set();
  const done = Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let turn = client; ; turn++) {
        const asked = ask(urls[turn % urls.length], { agent });
        inFlight.add(asked);
        const outcome = await asked;
        inFlight.delete(asked);
        outcomes.push(outcome);
        if (outcome.error) break;
      }
      agent.destroy();
    }),
  );
  return {
    outcomes,
    done,
    get inFlight() {
      return inFlight.size;
    },
  };
}
