import {
  MilvusAuthenticationError,
  MilvusDeadlineExceededError,
  MilvusError,
  MilvusRateLimitError,
  MilvusRequestError,
  MilvusServerError,
  MilvusUnavailableError,
} from '../../../lib/index.js';
import { isSameError, isSameOutcome, show } from './compare.js';
import type { Trial } from './failures.js';
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
  return atOnce ? wrongInError(error, trial) : `waits for its deadline with ${show(outcome)}`;
}

function wrongInError(error: MilvusError, { shape, plain }: Trial): string | undefined {
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
      return is(error instanceof grpcErrorClass(shape.grpcCode!) && error.grpcCode === shape.grpcCode);
    case 'reset':
      return is(error.grpcCode === shape.grpcCode);
    case 'garbage':
      return is(shape.grpcCode === undefined || error.grpcCode === shape.grpcCode);
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

function grpcErrorClass(code: number): abstract new (...args: never[]) => MilvusError {
  if (code === 14) return MilvusUnavailableError;
  if (code === 16) return MilvusAuthenticationError;
  if (code === 4) return MilvusDeadlineExceededError;
  return MilvusServerError;
}
