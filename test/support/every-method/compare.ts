import { inspect, isDeepStrictEqual } from 'node:util';
import type { Outcome } from './runs.js';

export function isSameOutcome(a: Outcome, b: Outcome): boolean {
  if ('resolved' in a) return 'resolved' in b && isDeepStrictEqual(a.resolved, b.resolved);
  return 'rejected' in b && isSameError(a.rejected, b.rejected);
}

/** Errors by what a program or a person looks at; the SDK throws other things as well. */
export function isSameError(a: unknown, b: unknown): boolean {
  if (!(a instanceof Error) || !(b instanceof Error)) return isDeepStrictEqual(a, b);
  return isDeepStrictEqual(visible(a), visible(b));
}

/** Of a rejection. */
export function codeOf(outcome: Outcome): unknown {
  return 'rejected' in outcome ? (outcome.rejected as { code?: unknown } | undefined)?.code : undefined;
}

/** Short: there may be many. */
export function show(outcome: Outcome | undefined): string {
  if (!outcome) return 'endless';
  const [how, what] = 'resolved' in outcome ? ['resolved', outcome.resolved] : ['rejected', outcome.rejected];
  const text = inspect(what instanceof Error ? visible(what) : what, { depth: 2 });
  return `${how} ${text.replaceAll(/\s+/g, ' ').slice(0, 300)}`;
}

function visible(error: Error): unknown {
  const { name, message, code, details } = error as Error & { code?: unknown; details?: unknown };
  // What has a gRPC code is told by that, whatever its class.
  return { ...(typeof code !== 'number' && { name }), message, code, details };
}
