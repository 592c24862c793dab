import fc from 'fast-check';

/** The options that a run gets, and the fraction that stands for every random number. */
export const settings = fc.record({
  minConnections: fc.nat(2),
  maxConnections: fc.integer({ min: 2, max: 3 }),
  maxStreamsPerConnection: fc.constantFrom(1, 2, 3, 12),
  acquireTimeoutMs: fc.integer({ min: 1, max: 3_000 }),
  maxPending: fc.integer({ min: 1, max: 20 }),
  maxLeases: fc.integer({ min: 1, max: 3 }),
  idleTimeoutMs: fc.constantFrom(0, 0, 500, 3_000),
  maxLifetimeMs: fc.constantFrom(0, 0, 2_000, 5_000),
  validateAfterIdleMs: fc.constantFrom(0, 300, 1_000_000, 1_000_000),
});

export const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** What a connection says when it is checked: at once, or when a step or its limit has it. */
const onCheck = fc.constantFrom(true as const, 'waits' as const, 'waits' as const, false as const);

const which = fc.nat(1_000);
const limitMs = fc.nat(4_000);
const verdict = fc.constantFrom(
  ...Array<'answered'>(4).fill('answered'),
  ...Array<'failed'>(4).fill('failed'),
  'silent' as const,
  'nothing' as const,
);

function kind<Kind extends string, Fields extends Record<string, unknown>>(
  weight: number,
  name: Kind,
  fields: { [Field in keyof Fields]: fc.Arbitrary<Fields[Field]> } = {} as never,
) {
  return {
    weight,
    arbitrary: fc.record({ kind: fc.constant(name), ...fields }) as fc.Arbitrary<{ kind: Kind } & Fields>,
  };
}

export const step = fc.oneof(
  kind(1, 'start'),
  kind(9, 'acquire', { limitMs }),
  kind(7, 'call ends', { which, verdict }),
  kind(2, 'leave', { which }),
  kind(3, 'come again', { which, limitMs }),
  kind(6, 'opened', {
    maxStreams: fc.constantFrom(0, 2, 5, ...Array<number>(4).fill(Number.POSITIVE_INFINITY)),
    // It may be gone, or going, before the pool holds it.
    fate: fc.constantFrom(...Array<'lives'>(6).fill('lives'), 'broken' as const, 'leaving' as const),
    onCheck,
  }),
  kind(3, 'refused', {
    failure: fc.constantFrom('unreachable' as const, 'timeout' as const, 'tls' as const),
  }),
  kind(1, 'breaks', { which }),
  kind(1, 'dies unnoticed', { which }),
  kind(2, 'goaway', { which }),
  kind(1, 'settings', { which, maxStreams: fc.nat(6) }),
  kind(3, 'check is answered', { which, alive: fc.constantFrom(true, true, true, false) }),
  kind(1, 'later checks', { which, onCheck }),
  kind(1, 'reconnect'),
  kind(3, 'lease', { limitMs }),
  kind(1, 'holder leaves', { which }),
  kind(2, 'release', { which }),
  kind(1, 'release twice', { which }),
  kind(3, 'lease is used', { which, limitMs }),
  kind(6, 'time', { ms: fc.nat(1_500) }),
  kind(1, 'a second', {}),
);

// Long ones from the start: a pool of some size takes a while to come about.
export const script = fc.array(step, { minLength: 1, maxLength: 150, size: 'max' });

/** What happens after windDown(), if that is called. */
export const lateScript = fc.option(fc.array(step, { maxLength: 60, size: 'max' }), { freq: 2 });

export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
