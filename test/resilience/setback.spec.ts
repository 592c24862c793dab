import { describe, expect, it } from '@jest/globals';
import { mayRepeat, type Repeatability, type Setback } from '../../lib/resilience/setback.js';

const fates = ['not-processed', 'refused', 'unknown'] as const;
const hopes = ['transient', 'rate-limited', 'transient-for-reads', 'none'] as const;

/** What may be sent again: who reads, who sets a state, who may act only once. */
const allowed: Record<Setback['fate'], Record<Setback['hope'], Repeatability[]>> = {
  'not-processed': {
    transient: ['read', 'repeatable', 'once'],
    'rate-limited': ['read', 'repeatable', 'once'],
    'transient-for-reads': ['read', 'repeatable', 'once'],
    none: [],
  },
  refused: {
    transient: ['read', 'repeatable'],
    'rate-limited': ['read', 'repeatable'],
    'transient-for-reads': ['read'],
    none: [],
  },
  unknown: {
    transient: ['read', 'repeatable'],
    'rate-limited': ['read', 'repeatable'],
    'transient-for-reads': ['read'],
    none: [],
  },
};

const rows = fates.flatMap(fate =>
  hopes.flatMap(hope =>
    (['read', 'repeatable', 'once'] as const).map(
      repeatability => [repeatability, fate, hope, allowed[fate][hope].includes(repeatability)] as const,
    ),
  ),
);

describe('an RPC that did not succeed', () => {
  it.each(rows)('%s, fate %s, hope %s: may be sent again: %s', (repeatability, fate, hope, may) => {
    expect(mayRepeat({ fate, hope }, repeatability)).toBe(may);
  });
});
