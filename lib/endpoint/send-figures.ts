import type { SendStats } from '../telemetry/pool-telemetry.js';

/** What has left the process since the endpoint was made. */
export class SendFigures {
  private rpcs = 0;
  private attempts = 0;
  private reruns = 0;
  private budgetRefusals = 0;
  private unknownOutcomes = 0;

  /** @param attempt 1 is the first of an RPC */
  sent(attempt: number): void {
    this.attempts++;
    if (attempt === 1) this.rpcs++;
  }

  rerun(): void {
    this.reruns++;
  }

  refusedByBudget(): void {
    this.budgetRefusals++;
  }

  endedUnknown(): void {
    this.unknownOutcomes++;
  }

  snapshot(): SendStats {
    const { rpcs, attempts, reruns, budgetRefusals, unknownOutcomes } = this;
    return Object.freeze({
      rpcs,
      attempts,
      retries: attempts - rpcs,
      reruns,
      budgetRefusals,
      unknownOutcomes,
    });
  }
}
