import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CallRequest } from '../../lib/client/call-request.js';
import { ClientRuntime } from '../../lib/client/client-runtime.js';
import { ACQUIRE, EXECUTE } from '../../lib/client/failed-call.js';
import type { RpcMethod } from '../../lib/endpoint/rpc.js';
import { SharedEndpoints } from '../../lib/endpoint/shared-endpoints.js';
import { MilvusAbortedError, MilvusCircuitOpenError, MilvusClosedError } from '../../lib/index.js';
import type { MilvusClientOptions } from '../../lib/options/milvus-client-options.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import { failureOf } from '../support/pooled-client.js';

const method = { name: 'CheckHealth' } as RpcMethod;
const questions = { checkHealth: method, getVersion: method, metadata: () => ({}) };
const runtimes: ClientRuntime[] = [];
const scope = { errors: 'throw' as const, retry: false as const };
let worked: string[];

beforeEach(() => {
  worked = [];
});

afterEach(() => Promise.all(runtimes.splice(0).map(runtime => runtime.drain(0))));

/** Of a client whose calls end in the test; nobody is asked for anything. */
function runtimeWith(options: Partial<MilvusClientOptions> = {}): ClientRuntime {
  const given = { address: 'milvus:19530', circuitBreaker: { failureThreshold: 1 }, ...options };
  const runtime = new ClientRuntime(resolveClientOptions('search', given), new SharedEndpoints(), questions);
  runtimes.push(runtime);
  return runtime;
}

function openRuntime(options?: Partial<MilvusClientOptions>): ClientRuntime {
  const runtime = runtimeWith(options);
  const { circuit } = runtime.endpoint;
  circuit.leave(circuit.enter()!, 'failure');
  return runtime;
}

function call(runtime: ClientRuntime, more: Partial<CallRequest> = {}): Promise<string> {
  const request: CallRequest = {
    method: 'insert',
    limit: { timeoutMs: 1_000, setBy: '`timeouts.writeMs`' },
    metadata: {},
    scope,
    ...more,
  };
  return runtime.call(request, () => {
    worked.push(request.method);
    return 'done';
  });
}

describe('a call while the circuit is open', () => {
  it('fails at once, before anything is done for it', async () => {
    const runtime = openRuntime();
    const error = await failureOf<MilvusCircuitOpenError>(call(runtime));
    expect(error).toBeInstanceOf(MilvusCircuitOpenError);
    expect(error).toMatchObject({ client: 'search', method: 'insert', code: 'MILVUS_CIRCUIT_OPEN' });
    expect(error.message).toMatch(
      /^Milvus client "search": insert was not sent: the circuit breaker is open/,
    );
    expect(error.retryAfterMs).toBeGreaterThan(25_000);
    expect(error.retryAfterMs).toBeLessThanOrEqual(30_000);
    expect([worked, runtime.stats().calls]).toEqual([[], 0]);
    expect(runtime.endpoint.circuit.metrics().totalFastFailures).toBe(1);
  });

  it.each([
    ['that wants statuses', { scope: { ...scope, errors: 'status' as const } }],
    ['of a lease', { scope: { ...scope, lease: { released: false } as never } }],
  ])('fails so also where it is one %s', async (_what, more) => {
    expect(await failureOf(call(openRuntime(), more))).toBeInstanceOf(MilvusCircuitOpenError);
  });

  it('goes on where it is to find out how the server is', async () => {
    expect(await call(openRuntime(), { method: 'ping', probes: true })).toBe('done');
  });

  it.each([ACQUIRE, EXECUTE])('goes on where it sends nothing itself: %s', async method => {
    const runtime = openRuntime();
    expect(await call(runtime, { method })).toBe('done');
    expect(runtime.endpoint.circuit.metrics().totalFastFailures).toBe(0);
  });

  it('is told first that its signal is aborted, or its client closed', async () => {
    const runtime = openRuntime();
    const aborted = { ...scope, signals: [AbortSignal.abort('enough')] };
    expect(await failureOf(call(runtime, { scope: aborted }))).toBeInstanceOf(MilvusAbortedError);
    await runtime.drain(0);
    expect(await failureOf(call(runtime))).toBeInstanceOf(MilvusClosedError);
    expect(runtime.endpoint.circuit.metrics().totalFastFailures).toBe(0);
  });

  it('has the server asked how it is', async () => {
    const runtime = openRuntime();
    const refuses = jest.spyOn(runtime.endpoint, 'refuses');
    await failureOf(call(runtime));
    expect(refuses).toHaveBeenCalledTimes(1);
  });
});

describe('a call otherwise', () => {
  it('goes on while the circuit is half-open, as long as one may', async () => {
    const runtime = openRuntime();
    const { circuit } = runtime.endpoint;
    circuit.answered();
    expect(await call(runtime)).toBe('done');
    circuit.enter();
    expect(await failureOf(call(runtime))).toMatchObject({ retryAfterMs: 100 });
  });

  it('goes on where there is no circuit breaker', async () => {
    const runtime = openRuntime({ circuitBreaker: false });
    expect(await call(runtime)).toBe('done');
    expect(runtime.endpoint.circuit.metrics()).toMatchObject({ totalFailures: 1, totalFastFailures: 0 });
  });
});

describe('the state of a client', () => {
  it('is unavailable while its circuit is open, each change told once with its reason', () => {
    const runtime = runtimeWith();
    const changes: unknown[] = [];
    runtime.events.events$.subscribe(event => {
      if (event.type === 'state-changed') changes.push([event.from, event.to, event.reason]);
    });
    const { circuit } = runtime.endpoint;
    circuit.leave(circuit.enter()!, 'failure');
    circuit.unanswered();
    expect(runtime.state).toBe('unavailable');
    circuit.answered();
    circuit.reset();
    expect(runtime.state).toBe('idle');
    expect(changes).toEqual([
      ['idle', 'unavailable', 'the circuit breaker is open: calls fail at once until Milvus answers'],
      ['unavailable', 'idle', undefined],
    ]);
  });
});

describe('the limit of a question how the server is', () => {
  it('is that of the health options, which hold also where nobody asks from time to time', () => {
    const limitOf = (health: MilvusClientOptions['health']) => runtimeWith({ health }).healthTimeoutMs;
    expect([limitOf({}), limitOf({ timeoutMs: 70 }), limitOf(false)]).toEqual([2_000, 70, 2_000]);
  });
});
