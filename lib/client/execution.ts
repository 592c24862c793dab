import { MilvusRetriesExhaustedError } from '../errors/connection-errors.js';
import { MilvusError } from '../errors/milvus-error.js';
import { systemClock } from '../resilience/clock.js';
import { type NoRetry, RetrySchedule } from '../resilience/retry-schedule.js';
import type { Call } from './call.js';
import type { CallRequest } from './call-request.js';
import { checkExecuteOptions, type MilvusExecuteOptions } from './call-scope.js';
import type { ClientInternals } from './client-internals.js';
import { about, EXECUTE } from './failed-call.js';
import { hopeAfter } from './hope.js';
import { overError } from './pool-errors.js';

/** The caller's function, on a client that `behind` stands for. */
type Run<Result> = (behind: ClientInternals) => Promise<Result> | Result;

/** One deadline over all calls of a function, and, if its caller says so, the whole of it again after a failure that passes. */
export async function execute<Result>(
  client: ClientInternals,
  run: Run<Result>,
  options: MilvusExecuteOptions,
): Promise<Result> {
  const { runtime, scope } = client;
  checkExecuteOptions(options, runtime.options.name);
  const { signal, timeoutMs, idempotent } = options;
  const behind = signal ? client.with({ signal }) : client;
  const request: CallRequest = {
    method: EXECUTE,
    limit: runtime.limits.ofExecute(timeoutMs, scope),
    metadata: {},
    scope: { ...behind.scope, errors: 'throw' },
  };
  return runtime.call(request, call =>
    idempotent ? new Reruns(behind, run, call).result() : run(behind.within(call, behind.scope)),
  );
}

/** The runs of one function whose caller knows that it may run more than once. */
class Reruns<Result> {
  private readonly errors: unknown[] = [];
  private readonly schedule?: RetrySchedule;

  constructor(
    private readonly behind: ClientInternals,
    private readonly run: Run<Result>,
    private readonly call: Call,
  ) {
    const { retry } = behind.scope;
    if (retry) this.schedule = new RetrySchedule(retry, behind.runtime.endpoint.budget);
  }

  async result(): Promise<Result> {
    const { behind, call, run, errors } = this;
    const { figures } = behind.runtime.endpoint;
    for (;;) {
      const scope = this.scopeOfRun();
      try {
        return await run(behind.within(call, scope));
      } catch (error) {
        errors.push(error);
        const pause = this.pauseAfter(error);
        if (pause === 'budget') figures.refusedByBudget();
        if (typeof pause !== 'number') throw this.conclusion(error, pause);
        // Calls that nobody waits for any more, as beside one that failed in a Promise.all, would meet those of the next run.
        scope.run.over = true;
        await call.quiet(part => overError({ client: behind.runtime.options.name, method: part.method }));
        if (call.deadline.remainingMs() <= pause) throw this.conclusion(error, 'time');
        call.retrying(EXECUTE, errors.length, pause, (error as Error).message);
        await pauseWithin(call, pause);
        figures.rerun();
      }
    }
  }

  /** Attempts do not multiply: either an RPC is repeated, or the whole. A rate limit paces each RPC all the same. */
  private scopeOfRun() {
    const { retry, errors } = this.behind.scope;
    const rerun = this.errors.length > 0;
    // A status that resolves says nothing to us: there the RPCs are repeated.
    const each = retry && errors === 'throw' ? { ...retry, maxAttempts: 1 } : retry;
    return { retry: each, idempotent: true, rerun, run: { over: false } };
  }

  /** @returns ms before the next run, or why there is none; `undefined` when it would fail alike */
  private pauseAfter(error: unknown): number | NoRetry | undefined {
    const { call, schedule } = this;
    const hope = hopeAfter(error);
    if (hope === 'none' || hope === 'rate-limited' || call.ended) return undefined;
    if (!schedule) return 'attempts';
    const now = systemClock.now();
    return schedule.next(hope, { now, remainingMs: call.deadline.at - now, answerMs: 0 });
  }

  private conclusion(last: unknown, why: NoRetry | undefined): unknown {
    const { behind, call, errors } = this;
    const { outcomeUnknown } = call;
    if (errors.length === 1) return last;
    if (why === undefined) {
      // Another run may have left it open.
      return last instanceof MilvusError && outcomeUnknown ? Object.assign(last, { outcomeUnknown }) : last;
    }
    const client = behind.runtime.options.name;
    const message = `${about({ client, method: EXECUTE })} failed ${errors.length} times; ${reasons[why]}. The last error: ${(last as Error).message}`;
    return new MilvusRetriesExhaustedError(message, Object.freeze([...errors]), {
      client,
      method: EXECUTE,
      attempts: errors.length,
      outcomeUnknown,
      cause: last,
    });
  }
}

const reasons: Record<NoRetry, string> = {
  attempts: 'retry.maxAttempts allows no more',
  time: 'there was no time for another run',
  budget: 'the retry budget is used up (retryBudget)',
  circuit: 'the circuit breaker is open',
};

/** Rejects when the call ends. */
function pauseWithin(call: Call, pauseMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (call.ended) return reject(new Error('execute() has ended'));
    const pause = systemClock.schedule(() => {
      forget(false);
      resolve();
    }, pauseMs);
    const cancel = () => {
      pause.cancel();
      reject(new Error('execute() has ended'));
    };
    const forget = call.begin({ cancel, unsent: () => undefined, sends: 0, uncertain: false, writes: false });
  });
}
