// The load: autocannon with kept-alive connections, from `startLoad` until `stop`.
import autocannon from 'autocannon';

const REQUEST_LIMIT_S = 30;
/** Longer than any run: it is stopped. */
const DURATION_S = 24 * 3600;

/** `paths` in turn on each of `connections`; each sends its next request as soon as the last one is answered. */
export function startLoad(url, { paths, connections }) {
  const failures = [];
  let longestMs = 0;
  let result;
  const ended = new Promise((resolve, reject) => {
    result = autocannon(
      {
        url,
        connections,
        duration: DURATION_S,
        timeout: REQUEST_LIMIT_S,
        requests: paths.map(path => ({ path })),
      },
      (error, figures) => (error ? reject(error) : resolve(figures)),
    );
  });
  ended.catch(() => undefined);
  result.on('reqError', error => failures.push(`load: ${error.code ?? error.message}`));
  result.on('response', (_client, _status, _bytes, ms) => {
    longestMs = Math.max(longestMs, ms);
  });
  return {
    failures,
    /** The longest answer since it was asked last, in ms. */
    takeLongestMs() {
      const taken = longestMs;
      longestMs = 0;
      return taken;
    },
    async stop() {
      result.stop();
      return ended;
    },
  };
}
