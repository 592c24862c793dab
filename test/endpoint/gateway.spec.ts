import { describe, expect, it } from '@jest/globals';
import { Gateway } from '../../lib/endpoint/gateway.js';
import type { Rpc, RpcCall } from '../../lib/endpoint/rpc.js';
import { SendFigures } from '../../lib/endpoint/send-figures.js';
import { CircuitBreaker } from '../../lib/resilience/circuit-breaker.js';
import { Deadline } from '../../lib/resilience/deadline.js';
import { RetryBudget } from '../../lib/resilience/retry-budget.js';
import { FakeClock } from '../support/fake-clock.js';
import { failureOf } from '../support/pooled-client.js';
import { answered } from './attempts.js';
import { FakeSource, policy } from './delivery-run.js';

const clock = new FakeClock();
const call: RpcCall = {
  deadline: new Deadline(1_000, clock),
  metadata: {},
  retry: policy,
  idempotent: false,
  ended: false,
  begin: () => () => {},
};

function gatewayOver(pool: FakeSource): Gateway {
  return new Gateway({
    pool,
    circuit: new CircuitBreaker(false, clock),
    budget: new RetryBudget(false),
    figures: new SendFigures(),
    clock,
    random: () => 0,
    hangs: () => false,
  });
}

const rpc = (serialize: Rpc['method']['serialize']): Rpc => ({
  method: {
    name: 'Insert',
    path: '/Insert',
    repeatability: 'once',
    serialize,
    deserialize: message => JSON.parse(String(message)),
  },
  request: { rows: 2 },
  timeoutMs: 1_000,
});

describe('the gateway', () => {
  it('sends what the request is encoded to, and gives what the answer is decoded to', async () => {
    const pool = new FakeSource();
    const sent = gatewayOver(pool).send(
      rpc(request => Buffer.from(JSON.stringify(request))),
      call,
    );
    expect(String(pool.attempt.request.message)).toBe('{"rows":2}');
    pool.attempt.end(answered({ inserted: 2 }));

    expect(await sent).toEqual({ inserted: 2 });
  });

  it('refuses what fits no message, before it takes a connection', async () => {
    const pool = new FakeSource();
    const cause = new Error('.ids: object expected');
    const refuse = () => {
      throw cause;
    };
    const error = await failureOf(gatewayOver(pool).send(rpc(refuse), call));

    expect(error).toMatchObject({ rpc: 'Insert', code: 13, failure: { at: 'request' }, cause });
    expect(error['details']).toBe('Request message serialization failure: .ids: object expected');
    expect(pool.asked).toEqual([]);
  });
});
