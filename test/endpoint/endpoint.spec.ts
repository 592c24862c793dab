import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  beginWatching,
  connected,
  endWatching,
  ill,
  open,
  pass,
  seen,
  silence,
  watched,
} from './watched-endpoint.js';

beforeEach(beginWatching);
afterEach(endWatching);

describe('what an endpoint learns', () => {
  it('is its state, told once with the reason', async () => {
    const endpoint = connected(watched());
    seen.condition = ill;
    await pass(60_000);
    expect(endpoint.state).toBe('unavailable');
    seen.condition = { isHealthy: true };
    await pass(30_000);
    expect(endpoint.state).toBe('ready');
    expect(seen.changes).toEqual([
      ['ready', 'unavailable', 'Milvus says that it is not healthy: no rootcoord'],
      ['unavailable', 'ready', undefined],
    ]);
  });

  it('is nothing where it was silent while calls were answered', async () => {
    const endpoint = connected(watched());
    const answered = jest.spyOn(endpoint.pool, 'answeredSince').mockReturnValue(true);
    seen.condition = silence;
    await pass(10_000);
    expect([endpoint.state, seen.changes]).toEqual(['ready', []]);
    expect(answered).toHaveBeenCalledWith(performance.now());
    answered.mockReturnValue(false);
    await pass(1_000);
    expect(endpoint.state).toBe('unavailable');
  });

  it('counts where it says itself that it is ill, whatever calls it answered', async () => {
    const endpoint = connected(watched());
    jest.spyOn(endpoint.pool, 'answeredSince').mockReturnValue(true);
    seen.condition = ill;
    await pass(10_000);
    expect(endpoint.state).toBe('unavailable');
  });

  it('has the circuit try again, without waiting for its time', async () => {
    const endpoint = connected(watched());
    open(endpoint);
    await pass(500);
    expect(endpoint.circuit.state).toBe('half-open');
    await pass(20_000);
    expect(endpoint.circuit.state).toBe('closed');
  });

  it('is not tried without end where it says that it is well, and fails what it is asked', async () => {
    const endpoint = connected(watched({ circuitBreaker: { failureThreshold: 1 } }));
    let trials = 0;
    for (let ms = 0; ms < 10_000; ms += 10) {
      const pass = endpoint.refuses() ? undefined : endpoint.circuit.enter();
      if (pass !== undefined) {
        trials += 1;
        endpoint.circuit.leave(pass, 'failure');
      }
      await jest.advanceTimersByTimeAsync(10);
    }
    expect(trials).toBeLessThan(10);
    expect(seen.changes.length).toBeLessThan(20);
    expect(seen.askedAtMs.length).toBeLessThan(60);
  });

  it('is forgotten, if it was silence, when the circuit closes: it works', async () => {
    const endpoint = connected(watched());
    seen.condition = silence;
    await pass(10_000);
    open(endpoint);
    expect(endpoint.state).toBe('unavailable');
    endpoint.circuit.reset();
    expect(endpoint.state).toBe('ready');
    seen.condition = ill;
    await pass(10_000);
    open(endpoint);
    endpoint.circuit.reset();
    expect(endpoint.state).toBe('unavailable');
  });

  it('lets a circuit stay open where it is ill', async () => {
    const endpoint = connected(watched());
    seen.condition = ill;
    open(endpoint);
    await pass(5_000);
    expect(endpoint.circuit.state).toBe('open');
  });
});
