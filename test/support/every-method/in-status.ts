import { codeOf, isSameOutcome, show } from './compare.js';
import type { Trial } from './failures.js';
import { wrongInThrow } from './in-throw.js';
import { isIterator, type Outcome } from './runs.js';
import type { Shape } from './shapes.js';

/** What is wrong with a run in mode 'status'; undefined when it is as the plain SDK has it. */
export function wrongInStatus(trial: Trial): string | undefined {
  const { of, shape, run, plain } = trial;
  const ours = run.outcome!;
  // What never ends in the plain SDK ends with ours at the deadline.
  if (!plain?.outcome) return codeOf(ours) === 4 ? undefined : `does not end as at a deadline: ${show(ours)}`;
  const theirs = plain.outcome;
  const right = isIterator(of.method) ? isPageRight(trial, ours, theirs) : isAsPlain(ours, theirs, shape);
  return right ? undefined : `is ${show(ours)}, plain SDK ${show(theirs)}`;
}

/** The plain SDK's iterators hide a failure behind another error, or take it for the end; ours throw it in both modes. */
function isPageRight(trial: Trial, ours: Outcome, theirs: Outcome): boolean {
  if (trial.shape.kind === 'status') return wrongInThrow(trial, 'status') === undefined;
  if ('rejected' in theirs) return isAsPlain(ours, theirs, trial.shape);
  // Of no byte at all cannot be told that it is a failure.
  return 'rejected' in ours || (trial.shape.kind === 'empty' && isSameOutcome(ours, theirs));
}

function isAsPlain(ours: Outcome, theirs: Outcome, { kind, grpcCode }: Shape): boolean {
  if ('resolved' in theirs || (kind !== 'reset' && kind !== 'garbage')) return isSameOutcome(ours, theirs);
  // A transport says in its own words what broke, and of bytes that are not gRPC not even the code is laid down.
  return grpcCode === undefined ? typeof codeOf(ours) === 'number' : codeOf(ours) === codeOf(theirs);
}
