import { describe, expect, it } from '@jest/globals';
import { CircuitRun } from './circuit-run.js';

const rate = { threshold: 0.5, minimumCalls: 10, windowMs: 1_000 };
const rated = (failureRate = rate) => new CircuitRun({ failureThreshold: 1_000, failureRate });

/** Alternately, on one connection. */
function mixed(run: CircuitRun, pairs: number, via?: object): void {
  for (let i = 0; i < pairs; i += 1) {
    run.succeed(via);
    run.fail(1, via);
  }
}

describe('the failure rate', () => {
  it('opens the circuit at its threshold, from so many calls on', () => {
    const run = rated();
    mixed(run, 4);
    run.succeed();
    expect(run.state).toBe('closed');
    run.fail();
    expect(run.state).toBe('open');
  });

  it('does not open it below the threshold', () => {
    const run = rated();
    for (let i = 0; i < 50; i += 1) run.succeed();
    run.fail(49);
    expect(run.state).toBe('closed');
    run.fail();
    expect(run.state).toBe('open');
  });

  it('counts only what says something of the server', () => {
    const run = rated();
    mixed(run, 4);
    for (let i = 0; i < 20; i += 1) run.circuit.leave(run.enter(), 'nothing');
    expect(run.state).toBe('closed');
  });

  it('forgets what is older than its window', () => {
    const run = rated();
    run.fail(9);
    run.clock.advance(1_000);
    run.fail(9);
    expect(run.state).toBe('closed');
    run.clock.advance(899);
    run.fail();
    expect(run.state).toBe('open');
  });

  it('counts the death of a connection once', () => {
    const run = rated();
    run.fail(100, {}, true);
    expect(run.state).toBe('closed');
  });

  it('is forgotten when the circuit closes, and by reset()', () => {
    const run = rated();
    mixed(run, 5);
    expect(run.state).toBe('open');
    run.circuit.answered();
    run.succeed();
    run.succeed();
    expect(run.state).toBe('closed');
    mixed(run, 4);
    run.circuit.reset();
    mixed(run, 4);
    expect(run.state).toBe('closed');
  });

  it('does not open it while there is a connection that only succeeds', () => {
    const run = rated();
    const [bad, good] = [{}, {}];
    for (let i = 0; i < 50; i += 1) {
      run.succeed(good);
      run.fail(4, bad);
    }
    expect(run.state).toBe('closed');
    run.fail(1, good);
    expect(run.state).toBe('open');
  });

  it('opens it where each connection fails at times', () => {
    const run = rated();
    const connections = [{}, {}, {}];
    for (const connection of connections) mixed(run, 1, connection);
    mixed(run, 1, connections[0]);
    run.succeed(connections[1]);
    expect(run.state).toBe('closed');
    run.fail(1, connections[2]);
    expect(run.state).toBe('open');
  });

  it('does not count for good that a connection worked long ago', () => {
    const run = rated();
    const [gone, bad] = [{}, {}];
    run.succeed(gone);
    run.clock.advance(5_000);
    run.fail(10, bad);
    expect(run.state).toBe('open');
  });

  it('leaves a connection its good name as long as what it did counts', () => {
    const run = rated();
    const [bad, good] = [{}, {}];
    // However the steps and the window fall.
    for (let i = 0; i < 200; i += 1) {
      run.fail(2, bad);
      run.succeed(good);
      run.clock.advance(70);
    }
    expect(run.state).toBe('closed');
  });

  it('does not forget its failures sooner than they count', () => {
    const run = rated();
    const [bad, recovering] = [{}, {}];
    run.succeed(bad);
    run.clock.advance(500);
    run.fail(1, recovering);
    run.clock.advance(500);
    run.succeed(recovering);
    run.fail(7, bad);
    expect(run.state).toBe('closed');
    run.fail(1, bad);
    expect(run.state).toBe('open');
  });

  it('works beside the failures in a row', () => {
    const run = new CircuitRun({ failureThreshold: 3, failureRate: rate });
    run.fail(3);
    expect(run.state).toBe('open');
  });
});
