import { inspect } from 'node:util';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import { failureOf, times } from '../support/pooled-client.js';
import {
  asking,
  beginAsking,
  clock,
  given,
  giving,
  headerOf,
  questions,
  token,
  told,
} from './credentials-run.js';

beforeEach(beginAsking);

describe('credentials that are given by value', () => {
  it.each([
    ['a token', { token: 'grün-api-key' }, headerOf('grün-api-key'), ''],
    ['a user', { username: 'ann', password: 'lark:song' }, headerOf('ann:lark:song'), 'ann'],
    ['a user with an empty password', { username: 'ann', password: '' }, headerOf('ann:'), 'ann'],
    ['nobody', undefined, {}, ''],
  ])('are sent as they are: %s', (_who, credentials, headers, user) => {
    const fixed = given(credentials);
    expect(fixed).toMatchObject({ fixed: true, known: true, headers, user });
    expect(fixed.headers).toBe(fixed.headers);
    expect(Object.isFrozen(fixed.headers)).toBe(true);
  });
});

describe('a function that gives credentials', () => {
  it('is not asked before somebody needs them', async () => {
    const credentials = asking();
    await settled();
    expect(credentials).toMatchObject({ fixed: false, known: false, headers: {}, user: '' });
    expect(questions).toHaveLength(0);
  });

  it('is asked once, however many wait for the answer', async () => {
    const credentials = asking();
    const waiting = times(100, () => credentials.first());
    expect(questions).toHaveLength(1);
    questions[0]!.answer({ username: 'ann', password: 'lark' });
    await Promise.all(waiting);
    expect(credentials).toMatchObject({ known: true, headers: headerOf('ann:lark'), user: 'ann' });
    await credentials.first();
    expect([questions.length, told, clock.pending]).toEqual([1, [], 0]);
  });

  it('may answer at once', async () => {
    const credentials = given(() => token('sync'));
    await credentials.first();
    expect(credentials.headers).toEqual(headerOf('sync-token'));
  });

  it('fails all who wait when it throws or rejects, with its reason', async () => {
    const cause = new Error('the vault is sealed');
    const rejecting = asking();
    const waiting = times(10, () => rejecting.first());
    questions[0]!.fail(cause);
    for (const each of [...waiting, giving(cause).first()]) {
      const error = await failureOf(each);
      expect(error.message).toBe('its `credentials` function failed: the vault is sealed');
      expect(error.cause).toBe(cause);
    }
    expect(clock.pending).toBe(0);
  });

  it('may throw what is no error', async () => {
    const error = await failureOf(given(() => Promise.reject('sealed')).first());
    expect(error.message).toBe('its `credentials` function failed: sealed');
  });

  it('has 5 s, which keep the process; what it says later counts for nothing', async () => {
    const credentials = asking();
    const waiting = times(2, () => credentials.first());
    expect([clock.nextInMs, clock.keepingAlive]).toEqual([5_000, 1]);
    await clock.advanceAsync(5_000);
    for (const each of waiting) {
      expect((await failureOf(each)).message).toBe('its `credentials` function gave none in 5000 ms');
    }
    questions[0]!.answer(token('late'));
    await settled();
    expect([credentials.known, clock.pending]).toEqual([false, 0]);
  });

  it.each([
    undefined,
    null,
    'text-password',
    42,
    [],
    {},
    { token: '' },
    { token: 42 },
    { token: 'lone-token', username: 'ann' },
    { token: 'lone-token', password: 'lark-song' },
    { token: 'lone-token', username: 'ann', password: 'lark-song' },
    { username: 'ann' },
    { password: 'lark-song' },
    { username: '', password: 'lark-song' },
    { username: 'ann', password: 4_242_424 },
    { username: { name: 'ann' }, password: 'lark-song' },
  ])('is told what it should have given, without what it gave: %j', async answer => {
    const error = await failureOf(given(() => answer).first());
    expect(error.message).toMatch(/gave neither \{ token \} nor \{ username, password \}/);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/lark|lone-token|4242424|ann/);
  });

  it('is not asked by each call again after it failed, but a second later', async () => {
    const credentials = giving(new Error('sealed'), token('later'));
    const first = await failureOf(credentials.first());
    clock.advance(999);
    const errors = await Promise.all(times(50, () => failureOf(credentials.first())));
    expect(new Set(errors)).toEqual(new Set([first]));
    expect(questions).toHaveLength(1);
    clock.advance(1);
    await credentials.first();
    expect([questions.length, credentials.known]).toEqual([2, true]);
  });

  it('is waited for no longer when its client is closed, and leaves no timer', async () => {
    const credentials = asking();
    const waiting = failureOf(credentials.first());
    credentials.close();
    expect((await waiting).message).toMatch(/had not answered when the client was closed/);
    expect(clock.pending).toBe(0);
    given(token('fixed')).close();
  });

  it('shows nothing of what it gave', async () => {
    const credentials = giving({ username: 'ann', password: 'lark-song' });
    await credentials.first();
    const shown = inspect(credentials, { depth: 9, showHidden: true }) + JSON.stringify(credentials);
    expect(shown).not.toMatch(/lark-song/);
    expect(shown).not.toContain(headerOf('ann:lark-song').authorization);
  });
});
