import { beforeEach, describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import { failureOf, times } from '../support/pooled-client.js';
import {
  asking,
  beginAsking,
  clock,
  giving,
  headerOf,
  known,
  questions,
  token,
  told,
} from './credentials-run.js';

beforeEach(beginAsking);

describe('credentials that Milvus refuses', () => {
  it('are asked for once, however many calls are refused, and others are sent from then on', async () => {
    const credentials = asking();
    const first = credentials.first();
    questions[0]!.answer(token('old'));
    await first;
    const refused = credentials.headers;
    const renewing = times(50, () => credentials.renew(refused));
    expect(questions).toHaveLength(2);
    questions[1]!.answer(token('new'));
    expect(new Set(await Promise.all(renewing))).toEqual(new Set([true]));
    expect(credentials.headers).toEqual(headerOf('new-token'));
    expect([questions.length, told]).toEqual([2, ['changed']]);
  });

  it('are not asked for when others have come since', async () => {
    const credentials = giving(token('old'), token('new'));
    const refused = await known(credentials);
    await credentials.refresh();
    expect(await credentials.renew(refused)).toBe(true);
    expect(questions).toHaveLength(2);
  });

  it('are asked for at once the first time, right after they were given', async () => {
    const credentials = giving(token('old'), token('new'));
    expect(await credentials.renew(await known(credentials))).toBe(true);
  });

  it('are asked for anew when what was being asked had begun before, and gives the same', async () => {
    const credentials = asking();
    const first = credentials.first();
    questions[0]!.answer(token('old'));
    await first;
    const refreshed = credentials.refresh();
    await settled();
    const renewed = credentials.renew(credentials.headers);
    questions[1]!.answer(token('old'));
    await refreshed;
    await settled();
    expect(questions).toHaveLength(3);
    questions[2]!.answer(token('new'));
    expect(await renewed).toBe(true);
  });

  it('are told to be wrong when the function gives the same again, once for each question', async () => {
    const credentials = giving(token('same'));
    const refused = await known(credentials);
    const renewed = await Promise.all(times(50, () => credentials.renew(refused)));
    expect([new Set(renewed), questions.length]).toEqual([new Set([false]), 2]);
    expect(told).toEqual(['refused: its `credentials` function gave the same again']);
    expect(credentials.headers).toBe(refused);
  });

  it('are asked for at most once a second while they stay wrong', async () => {
    const credentials = giving(token('same'));
    const refused = await known(credentials);
    const askedAtMs: number[] = [];
    const startedAt = clock.now();
    for (let ms = 0; ms < 3_000; ms += 100) {
      const before = questions.length;
      expect(await credentials.renew(refused)).toBe(false);
      if (questions.length > before) askedAtMs.push(clock.now() - startedAt);
      clock.advance(100);
    }
    expect(askedAtMs).toEqual([0, 1_000, 2_000]);
    expect(told).toHaveLength(3);
  });

  it('stay when the function fails, which is told once, and to each of its callers', async () => {
    const credentials = giving(token('old'), new Error('sealed'));
    const refused = await known(credentials);
    const errors = await Promise.all(times(20, () => failureOf(credentials.renew(refused))));
    clock.advance(500);
    errors.push(await failureOf(credentials.renew(refused)));
    const messages = new Set(errors.map(({ message }) => message));
    expect(messages).toEqual(new Set(['its `credentials` function failed: sealed']));
    expect(told).toEqual(['refused: its `credentials` function failed: sealed']);
    expect([questions.length, credentials.headers === refused]).toEqual([2, true]);
  });

  it('are sent on to those who are refused a second later, when the function works again', async () => {
    const credentials = giving(token('old'), new Error('sealed'), token('new'));
    const refused = await known(credentials);
    await failureOf(credentials.renew(refused));
    clock.advance(1_000);
    expect(await credentials.renew(refused)).toBe(true);
    expect(told.at(-1)).toBe('changed');
  });

  it('are not those of a failure that is over', async () => {
    const credentials = giving(token('same'), new Error('sealed'), token('same'));
    const refused = await known(credentials);
    await failureOf(credentials.renew(refused));
    await credentials.refresh();
    expect(await credentials.renew(refused)).toBe(false);
  });

  it('are no others where the same text is a token first, and user and password then', async () => {
    const credentials = giving({ token: 'ann:lark-song' }, { username: 'ann', password: 'lark-song' });
    const refused = await known(credentials);
    expect(await credentials.renew(refused)).toBe(false);
    expect([credentials.headers === refused, credentials.user]).toEqual([true, 'ann']);
  });
});

describe('refresh()', () => {
  it('asks however little time has passed, and keeps what it had when that fails', async () => {
    const credentials = giving(token('old'), new Error('sealed'), token('new'), token('new'));
    const old = await known(credentials);
    await expect(credentials.refresh()).rejects.toThrow('its `credentials` function failed: sealed');
    expect([credentials.headers === old, told]).toEqual([true, []]);
    await credentials.refresh();
    expect([credentials.headers, told]).toEqual([headerOf('new-token'), ['changed']]);
    const kept = credentials.headers;
    await credentials.refresh();
    expect([credentials.headers === kept, told.length, questions.length]).toEqual([true, 1, 4]);
  });

  it('does not take the answer to a question that began before it', async () => {
    const credentials = asking();
    const first = credentials.first();
    const refreshed = Promise.all(times(5, () => credentials.refresh()));
    questions[0]!.answer(token('before'));
    await first;
    await settled();
    expect(questions).toHaveLength(2);
    questions[1]!.answer(token('after'));
    await refreshed;
    expect([credentials.headers, questions.length]).toEqual([headerOf('after-token'), 2]);
  });

  it('asks anew when the question before it fails', async () => {
    const credentials = asking();
    const failed = failureOf(credentials.first());
    const refreshed = credentials.refresh();
    questions[0]!.fail(new Error('sealed'));
    await failed;
    await settled();
    questions[1]!.answer(token('new'));
    await refreshed;
    expect(credentials.known).toBe(true);
  });
});
