import { expect } from '@jest/globals';
import type { FakeConnection } from '../../support/fake-connection.js';
import type { RandomRun } from './random-run.js';

const SHORT_LIFE_MS = 1_000;

/** When the pool may try to connect: kept apart from the pool's own bookkeeping. */
export class TryWatch {
  private readonly openedAtMs = new Map<FakeConnection, number>();
  private readonly ended = new Set<FakeConnection>();
  private failures = 0;
  private shortLives = 0;
  private lastTroubleAtMs = Number.NEGATIVE_INFINITY;
  private triesSeen = 0;
  private deadSeen = 0;

  constructor(private readonly run: RandomRun) {}

  opened(connection: FakeConnection): void {
    this.openedAtMs.set(connection, this.run.clock.now());
    this.failures = 0;
  }

  failed(): void {
    this.failures += 1;
    this.lastTroubleAtMs = this.run.clock.now();
  }

  /** To be called before the pool learns of it. */
  ends(connection: FakeConnection): void {
    if (this.ended.has(connection)) return;
    this.ended.add(connection);
    const age = this.run.clock.now() - this.openedAtMs.get(connection)!;
    this.shortLives = age < SHORT_LIFE_MS ? this.shortLives + 1 : 0;
    this.lastTroubleAtMs = this.run.clock.now();
  }

  /** Somebody wants a try now. */
  forget(): void {
    this.failures = 0;
    this.shortLives = 0;
  }

  /** No try since the last look came sooner than the schedule has it, and none while another one was under way. */
  look(): void {
    const { network, examined } = this.run;
    // What the pool made of a check that was not answered depends on the age of what was checked: nothing is asked then.
    const dead = network.connections.reduce((sum, { foundDead }) => sum + foundDead, 0);
    if (dead > this.deadSeen) this.shortLives = 0;
    this.deadSeen = dead;
    const trouble = Math.max(this.failures, this.shortLives);
    const pauseMs = trouble === 0 ? 0 : Math.min(500, 100 * 2 ** (trouble - 1)) / 2;
    for (const atMs of network.triedAtMs.slice(this.triesSeen)) {
      expect(atMs - this.lastTroubleAtMs).toBeGreaterThanOrEqual(pauseMs);
    }
    this.triesSeen = network.triedAtMs.length;
    expect(network.maxTryingAtOnce).toBeLessThanOrEqual(1);
    if (examined) expect(network.trying.length).toBe(0);
  }
}
