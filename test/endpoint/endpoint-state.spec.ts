import { describe, expect, it } from '@jest/globals';
import { reasonOf, stateOf } from '../../lib/endpoint/endpoint-state.js';
import type { ServerCondition } from '../../lib/endpoint/prober.js';
import type { CircuitState } from '../../lib/resilience/circuit-breaker.js';
import type { PoolState } from '../../lib/telemetry/pool-telemetry.js';

const circuits: CircuitState[] = ['closed', 'open', 'half-open', 'disabled'];
const servers: (ServerCondition | undefined)[] = [
  undefined,
  { healthy: true },
  { healthy: false, reason: 'no rootcoord' },
  { healthy: false, reason: 'no answer', silent: true },
];

/** By the circuit: as long as the server does not say that it is ill. */
const table: [pool: PoolState, states: Record<CircuitState, PoolState>][] = [
  ['idle', { closed: 'idle', open: 'unavailable', 'half-open': 'idle', disabled: 'idle' }],
  [
    'connecting',
    { closed: 'connecting', open: 'unavailable', 'half-open': 'connecting', disabled: 'connecting' },
  ],
  ['ready', { closed: 'ready', open: 'unavailable', 'half-open': 'degraded', disabled: 'ready' }],
  ['degraded', { closed: 'degraded', open: 'unavailable', 'half-open': 'degraded', disabled: 'degraded' }],
  [
    'unavailable',
    { closed: 'unavailable', open: 'unavailable', 'half-open': 'unavailable', disabled: 'unavailable' },
  ],
  ['draining', { closed: 'draining', open: 'draining', 'half-open': 'draining', disabled: 'draining' }],
  ['closed', { closed: 'closed', open: 'closed', 'half-open': 'closed', disabled: 'closed' }],
];

describe('the state of an endpoint', () => {
  const rows = table.flatMap(([pool, states]) =>
    circuits.flatMap(circuit => servers.map(server => ({ pool, circuit, server, states }))),
  );

  it.each(rows)('with connections that are $pool, circuit $circuit, server $server', row => {
    const { pool, circuit, server, states } = row;
    const over = pool === 'draining' || pool === 'closed';
    const expected = server?.healthy === false && !over ? 'unavailable' : states[circuit];
    expect(stateOf({ pool, circuit, server })).toBe(expected);
  });
});

describe('the reason for it', () => {
  it.each(circuits)(
    'is what the server says of itself, when it is ill, with a circuit that is %s',
    circuit => {
      const server = { healthy: false as const, reason: 'no rootcoord' };
      expect(reasonOf({ pool: 'ready', circuit, server })).toBe('no rootcoord');
    },
  );

  it.each<[CircuitState, RegExp | undefined]>([
    ['open', /^the circuit breaker is open: calls fail at once until Milvus answers$/],
    ['half-open', /^Milvus is being tried again$/],
    ['closed', undefined],
    ['disabled', undefined],
  ])('is else the circuit that is %s', (circuit, reason) => {
    for (const server of [undefined, { healthy: true as const }]) {
      const given = reasonOf({ pool: 'ready', circuit, server });
      if (reason) expect(given).toMatch(reason);
      else expect(given).toBeUndefined();
    }
  });

  it.each<PoolState>(['idle', 'connecting', 'degraded', 'unavailable'])(
    'is left to the connections where they are %s while the circuit is half-open',
    pool => {
      expect(reasonOf({ pool, circuit: 'half-open' })).toBeUndefined();
      expect(reasonOf({ pool, circuit: 'open' })).toMatch(/circuit breaker is open/);
    },
  );

  it.each<PoolState>(['draining', 'closed'])('is none of what is %s', pool => {
    for (const circuit of circuits) {
      for (const server of servers) expect(reasonOf({ pool, circuit, server })).toBeUndefined();
    }
  });
});
