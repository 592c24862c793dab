// What being able to send again costs a call that needs no second attempt: the whole way of an RPC on a connection that answers at
// once from memory, beside the same without it, and beside awaiting nothing. Usage: npm run bench:retry-overhead -- [rounds]

import { Delivery } from '../lib/endpoint/delivery.js';
import type { DeliveryRoute } from '../lib/endpoint/delivery-route.js';
import { refusalIn } from '../lib/endpoint/response-status.js';
import type { Rpc, RpcCall } from '../lib/endpoint/rpc.js';
import { SendFigures } from '../lib/endpoint/send-figures.js';
import { optionDefaults } from '../lib/options/defaults.js';
import type { ConnectionSource } from '../lib/pool/connection-source.js';
import type { Member } from '../lib/pool/member.js';
import { CircuitBreaker } from '../lib/resilience/circuit-breaker.js';
import { systemClock } from '../lib/resilience/clock.js';
import { Deadline } from '../lib/resilience/deadline.js';
import { RetryBudget } from '../lib/resilience/retry-budget.js';
import type { AttemptAnswer } from '../lib/transport/attempt.js';
import type { Http2Connection } from '../lib/transport/http2-connection.js';
import { argument } from './arguments.js';
import { machine } from './machine.js';
import { percentile, table } from './measure.js';

const rounds = argument(0, 300, 20);
const CALLS_PER_ROUND = 5_000;

const message = Buffer.alloc(16);
const success = { status: { code: 0, error_code: 'Success', reason: '' }, results: {} };
const answer: AttemptAnswer = { ok: true, message };

const member = {
  connection: {
    authority: 'memory:1',
    open: true,
    send: () => ({ outcome: Promise.resolve(answer), cancel() {} }),
  },
} as unknown as Member<Http2Connection>;
const pool: ConnectionSource<Http2Connection> = {
  acquire(user) {
    user.use(member);
    return () => {};
  },
  whyNone: () => {
    throw new Error('there is room for all');
  },
  ended() {},
};
const route: DeliveryRoute = {
  pool,
  circuit: new CircuitBreaker(optionDefaults.circuitBreaker, systemClock),
  budget: new RetryBudget(optionDefaults.retryBudget),
  figures: new SendFigures(),
  clock: systemClock,
  random: Math.random,
  hangs: () => false,
};
const newRpc = (): Rpc => ({
  method: {
    name: 'Search',
    path: '/search',
    repeatability: 'read',
    serialize: () => message,
    deserialize: () => success,
  },
  request: {},
  timeoutMs: 10_000,
});
const call: RpcCall = {
  deadline: new Deadline(3_600_000),
  metadata: {},
  retry: optionDefaults.retry,
  idempotent: false,
  ended: false,
  begin: () => () => {},
};

/** The same way without any thought of another attempt. */
function sendOnce(rpc: Rpc): Promise<object> {
  return new Promise((resolve, reject) => {
    const endsAt = Math.min(systemClock.now() + rpc.timeoutMs, call.deadline.at);
    const forget = call.begin({
      cancel() {},
      unsent: () => undefined,
      sends: 0,
      uncertain: false,
      writes: false,
    });
    const use = async (taken: Member<Http2Connection>) => {
      const sentAt = systemClock.now();
      const metadata = { ...call.metadata, ...rpc.metadata };
      const timeoutMs = Math.max(0, endsAt - sentAt);
      const attempt = taken.connection.send({ path: rpc.method.path, message, metadata, timeoutMs });
      const outcome = await attempt.outcome;
      pool.ended(taken, 'answered', sentAt);
      forget(false);
      if (outcome.ok) resolve(rpc.method.deserialize(outcome.message));
      else reject(new Error(outcome.message));
    };
    pool.acquire({ use, fail: reject }, endsAt - systemClock.now());
  });
}

const works: Array<[string, () => unknown]> = [
  ['awaiting nothing', () => undefined],
  ['sent, without any thought of another attempt', () => sendOnce(newRpc())],
  ['sent, and could be sent again', () => new Delivery(newRpc(), message, call, route).begin()],
  [
    'the parts of it alone: count, pay into the budget, look for a refusal',
    () => {
      const now = systemClock.now();
      route.figures.sent(1);
      route.budget.called(now);
      return refusalIn(success);
    },
  ],
];

const nanoseconds = works.map((): number[] => []);
for (let round = 0; round < rounds; round++) {
  for (const [index, [, work]] of works.entries()) {
    const startedAt = performance.now();
    for (let calls = 0; calls < CALLS_PER_ROUND; calls++) await work();
    nanoseconds[index]!.push(((performance.now() - startedAt) * 1e6) / CALLS_PER_ROUND);
  }
}
// Of the quietest rounds: what the machine does besides is not what is asked.
const quiet = nanoseconds.map(each =>
  percentile(
    each.slice(rounds / 4).sort((a, b) => a - b),
    0.1,
  ),
);

const [nothing, once, again, parts] = quiet as [number, number, number, number];
console.log(
  `One after the other, the quietest tenth of ${rounds} rounds of ${CALLS_PER_ROUND}. ${machine()}\n`,
);
console.log(
  table(
    ['what', 'ns', 'on top of awaiting nothing'],
    works.map(([what], index) => [what, quiet[index]!.toFixed(0), (quiet[index]! - nothing).toFixed(0)]),
  ),
);
console.log(
  `\nBeing able to send again costs ${(again - once).toFixed(0)} ns per call; its parts alone ${(parts - nothing).toFixed(0)} ns.`,
);
