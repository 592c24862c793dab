import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CircuitHistory, type CircuitStep } from './circuit-history.js';

const step: fc.Arbitrary<CircuitStep> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('enter' as const) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('leave' as const),
      which: fc.nat(50),
      verdict: fc.constantFrom(
        'success' as const,
        'failure' as const,
        'failure' as const,
        'nothing' as const,
      ),
      via: fc.nat(3),
      died: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.oneof(fc.nat(50), fc.nat(1_500)) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('refuses' as const, 'answered' as const, 'unanswered' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const) }) },
);

const options = fc.record(
  {
    failureThreshold: fc.integer({ min: 1, max: 5 }),
    recoveryTimeoutMs: fc.integer({ min: 1, max: 1_000 }),
    halfOpenSuccessThreshold: fc.integer({ min: 1, max: 4 }),
    maxHalfOpenRequests: fc.integer({ min: 1, max: 4 }),
    failureRate: fc.record({
      threshold: fc.double({ min: 0, max: 1, noNaN: true }),
      minimumCalls: fc.integer({ min: 1, max: 10 }),
      windowMs: fc.integer({ min: 1, max: 1_000 }),
    }),
  },
  {
    requiredKeys: [
      'failureThreshold',
      'recoveryTimeoutMs',
      'halfOpenSuccessThreshold',
      'maxHalfOpenRequests',
    ],
  },
);

const steps = fc.array(step, { maxLength: 200 });

describe('a circuit breaker, whatever befalls it', () => {
  it('lets through no more than it may, tells the truth, and closes again', () => {
    fc.assert(
      fc.property(options, steps, (given, happening) => {
        const history = new CircuitHistory(given);
        for (const each of happening) history.take(each);
        history.endsWell();
        expect(history.wrongs).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('counts the same when it is off, and refuses nobody', () => {
    fc.assert(
      fc.property(steps, happening => {
        const history = new CircuitHistory(false);
        for (const each of happening) history.take(each);
        expect([history.wrongs, history.refused, history.circuit.state]).toEqual([[], 0, 'disabled']);
      }),
    );
  });

  it('is open after so many failures in a row, and not before, where every connection is another one', () => {
    fc.assert(
      fc.property(
        options,
        fc.array(fc.boolean(), { maxLength: 60 }),
        ({ failureRate: _, ...given }, results) => {
          const history = new CircuitHistory(given);
          let inARow = 0;
          for (const worked of results) {
            history.take({ do: 'enter' });
            const verdict = worked ? 'success' : 'failure';
            history.take({ do: 'leave', which: 0, verdict, via: 0, died: false });
            inARow = worked ? 0 : inARow + 1;
            const open = inARow >= given.failureThreshold;
            expect(history.circuit.state).toBe(open ? 'open' : 'closed');
            if (open) return;
          }
        },
      ),
    );
  });
});
