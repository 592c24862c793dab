import {
  MilvusAuthenticationError,
  MilvusDeadlineExceededError,
  MilvusError,
  MilvusOutcomeUnknownError,
  MilvusRateLimitError,
  MilvusRequestError,
  MilvusServerError,
  MilvusUnavailableError,
} from '../../../lib/index.js';
import { isSameError, isSameOutcome, show } from './compare.js';
import type { Trial } from './failures.js';
import { unknownFate, writesBeside } from './fates.js';
import { handledFailure } from './handled.js';

/** What is wrong with a run in mode 'throw'; undefined when nothing is. */
export function wrongInThrow(trial: Trial, client = 'throw'): string | undefined {
  const { of, shape, step, run, limitMs, plain } = trial;
  const outcome = run.outcome!;
  const handled = handledFailure(of, shape, step);
  if ('resolved' in outcome) {
    if (handled) return handled.gives(outcome.resolved) ? undefined : `gave ${show(outcome)}`;
    // Of a Status no byte at all is a success, and of anything else it cannot be told.
    if (shape.kind === 'empty' && plain?.outcome && isSameOutcome(outcome, plain.outcome)) return undefined;
    return `looks like success: ${show(outcome)}`;
  }
  if (handled) return `is no failure, ${handled.because}, but ${show(outcome)}`;
  const error = outcome.rejected;
  if (!(error instanceof MilvusError)) return `is no MilvusError: ${show(outcome)}`;
  if (error.client !== client || error.method !== of.method) {
    return `names client ${error.client} and method ${error.method}`;
  }
  if (error.message.includes('secret')) return `tells a secret: ${error.message}`;
  // The SDK goes on polling after some refusals.
  const atOnce = shape.kind === 'hang' || error instanceof MilvusDeadlineExceededError || run.ms < limitMs;
  if (!atOnce) return `waits for its deadline with ${show(outcome)}`;
  return wrongInFate(error, trial) ?? wrongInError(error, trial);
}

/** It says so when nobody can know whether a write was executed, and only then. */
function wrongInFate(error: MilvusError, trial: Trial): string | undefined {
  // On a machine that stalls the time may be up before the RPC that hangs.
  if (trial.run.faults === 0 || trial.shape.kind === 'empty') return undefined;
  const fate = unknownFate(trial);
  const outcomeUnknown = fate !== undefined && fate !== 'read';
  if (Boolean(error.outcomeUnknown) === outcomeUnknown) return undefined;
  // Others may have been on the wire beside it, and end with the call.
  if (error.outcomeUnknown && writesBeside(trial) > 0) return undefined;
  return `${outcomeUnknown ? 'hides' : 'says'} that its outcome is unknown: ${show({ rejected: error })}`;
}

function wrongInError(error: MilvusError, trial: Trial): string | undefined {
  const { shape, plain } = trial;
  const is = (expected: unknown) => (expected ? undefined : `is another error: ${show({ rejected: error })}`);
  switch (shape.kind) {
    case 'status': {
      const { code, error_code, reason } = shape.status!;
      const said = error instanceof MilvusServerError && error.reason === reason;
      const named = said && (error_code === 'Success' || error.errorName === String(error_code));
      const limited = code === 8;
      return is(
        named &&
          (code === 0 || error.errorCode === code) &&
          error instanceof MilvusRateLimitError === limited,
      );
    }
    case 'grpc':
    case 'reset':
      return is(error instanceof wireErrorClass(trial) && error.grpcCode === shape.grpcCode);
    case 'garbage': {
      const lost = unknownFate(trial) === 'once';
      const code = shape.grpcCode === undefined || error.grpcCode === shape.grpcCode;
      return is(code && error instanceof MilvusOutcomeUnknownError === lost);
    }
    case 'hang':
      return is(error instanceof MilvusDeadlineExceededError);
    case 'empty': {
      const sdk = plain?.outcome;
      if (!sdk) return is(error instanceof MilvusDeadlineExceededError);
      // Where the plain SDK goes on with nothing, or swallows what that led to, there is nothing to compare with.
      if ('resolved' in sdk) return undefined;
      return is(error instanceof MilvusRequestError && isSameError(error.cause, sdk.rejected));
    }
  }
}

function wireErrorClass(trial: Trial): abstract new (...args: never[]) => MilvusError {
  const { kind, grpcCode } = trial.shape;
  if (grpcCode === 4) return MilvusDeadlineExceededError;
  if (unknownFate(trial) === 'once') return MilvusOutcomeUnknownError;
  // Whatever cancelled it, its caller did not.
  if (kind === 'reset' || grpcCode === 14 || grpcCode === 1) return MilvusUnavailableError;
  return grpcCode === 16 ? MilvusAuthenticationError : MilvusServerError;
}
