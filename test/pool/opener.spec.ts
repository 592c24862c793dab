import { beforeEach, describe, expect, it } from '@jest/globals';
import { Opener, type OpenerOwner } from '../../lib/pool/opener.js';
import { ConnectError } from '../../lib/transport/connect-error.js';
import { FakeClock, settled } from '../support/fake-clock.js';
import { FakeConnection, FakeConnector } from '../support/fake-connection.js';

let clock: FakeClock;
let network: FakeConnector;
let happened: string[];
let wanted: 'urgently' | 'yes' | 'no';
let examination: Promise<void> | undefined;
let opener: Opener<FakeConnection>;

beforeEach(() => {
  clock = new FakeClock();
  network = new FakeConnector(() => clock.now());
  happened = [];
  wanted = 'yes';
  examination = undefined;
  const owner: OpenerOwner<FakeConnection> = {
    wanted: () => wanted,
    opened: (_connection, tookMs) => {
      happened.push(`opened in ${tookMs}`);
      return examination;
    },
    failed: ({ failure }) => happened.push(`failed: ${failure}`),
    changed: () => {
      happened.push('changed');
      opener.look();
    },
  };
  opener = new Opener(owner, network.connect, clock, () => 0);
});

/** The try that is under way succeeds. */
async function succeed(): Promise<void> {
  network.succeed(new FakeConnection());
  await settled();
}

async function fail(): Promise<void> {
  network.fail();
  await settled();
}

describe('the opener', () => {
  it('opens nothing that nobody wants', () => {
    wanted = 'no';
    expect([opener.look(), opener.opening, network.trying.length]).toEqual([false, false, 0]);
  });

  it('opens one at a time, and looks again when it is there', async () => {
    expect([opener.look(), opener.look(), opener.opening]).toEqual([true, true, true]);
    expect(network.trying.length).toBe(1);
    clock.advance(30);
    expect(opener.tryingForMs).toBe(30);
    await succeed();
    expect([network.triedAtMs.length, network.maxTryingAtOnce]).toEqual([2, 1]);
    wanted = 'no';
    await succeed();
    expect(happened).toEqual(['opened in 30', 'changed', 'opened in 0', 'changed']);
    expect([opener.opening, opener.tryingForMs, clock.pending]).toEqual([false, undefined, 0]);
  });

  it('waits until a new one was looked at before it opens another', async () => {
    let found = () => {};
    examination = new Promise(resolve => {
      found = resolve;
    });
    opener.look();
    await succeed();
    expect([opener.opening, opener.look(), network.trying.length, happened]).toEqual([
      true,
      true,
      0,
      ['opened in 0'],
    ]);
    wanted = 'no';
    found();
    await settled();
    expect([opener.opening, happened.at(-1)]).toEqual([false, 'changed']);
  });

  it('takes one that was found to be of no use for a failed try', async () => {
    examination = Promise.reject(new ConnectError('no answer', 'timeout', 'look'));
    opener.look();
    await succeed();
    expect(happened).toEqual(['opened in 0', 'failed: timeout', 'changed']);
    expect([opener.lastError?.failure, opener.opening, clock.nextInMs]).toEqual(['timeout', false, 50]);
  });

  it('pauses after a failure, and shorter when somebody waits', async () => {
    opener.look();
    for (let i = 0; i < 5; i += 1) {
      await fail();
      await clock.advanceAsync(i < 4 ? clock.nextInMs! : 0);
    }
    expect([clock.nextInMs, opener.opening, opener.lastError?.failure]).toEqual([800, false, 'unreachable']);
    wanted = 'urgently';
    expect([opener.look(), clock.nextInMs, clock.pending]).toEqual([true, 250, 1]);
    await clock.advanceAsync(250);
    expect(network.trying.length).toBe(1);
    wanted = 'no';
    await succeed();
    expect([opener.lastError, clock.pending]).toEqual([undefined, 0]);
  });

  it('forgets its pause when nothing is wanted any more', async () => {
    opener.look();
    await fail();
    wanted = 'no';
    expect([opener.look(), clock.pending]).toEqual([false, 0]);
  });

  it('pauses after a connection that broke at once, too', async () => {
    opener.broke(10);
    opener.look();
    expect([network.trying.length, clock.nextInMs]).toEqual([0, 50]);
  });

  it('does not pause when somebody asks for it now', async () => {
    opener.look();
    await fail();
    expect(network.trying.length).toBe(0);
    opener.now();
    expect([network.trying.length, clock.pending]).toEqual([1, 0]);
  });

  it('stops the try and the pause for good; that is no failure', async () => {
    opener.look();
    opener.stop();
    await settled();
    expect([network.trying.length, opener.opening, opener.look(), happened]).toEqual([
      0,
      false,
      false,
      ['changed'],
    ]);
    expect(opener.lastError).toBeUndefined();
  });
});
