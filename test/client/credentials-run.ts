import { ClientCredentials } from '../../lib/client/client-credentials.js';
import { FakeClock } from '../support/fake-clock.js';

interface Question {
  answer: (credentials: unknown) => void;
  fail: (why: unknown) => void;
}

export let clock: FakeClock;
export let told: string[];
/** The questions that the function was asked, and what answers them. */
export let questions: Question[];

const observer = {
  credentialsChanged: () => told.push('changed'),
  credentialsRefused: (why: string) => told.push(`refused: ${why}`),
};

/** Before each test. */
export function beginAsking(): void {
  clock = new FakeClock();
  told = [];
  questions = [];
}

export function given(credentials?: unknown): ClientCredentials {
  return new ClientCredentials(credentials as never, observer, clock);
}

/** Its function is answered by the test. */
export function asking(): ClientCredentials {
  return given(
    () =>
      new Promise((answer, fail) => {
        questions.push({ answer, fail });
      }),
  );
}

/** Its function gives these one after the other, and then the last one again; an Error is thrown. */
export function giving(...answers: unknown[]): ClientCredentials {
  return given(() => {
    const next = answers[Math.min(questions.length, answers.length - 1)];
    questions.push({ answer: () => {}, fail: () => {} });
    if (next instanceof Error) throw next;
    return next;
  });
}

/** Those that a function gave, and the headers that are refused from now on. */
export async function known(credentials: ClientCredentials) {
  await credentials.first();
  return credentials.headers;
}

export const headerOf = (plain: string) => ({ authorization: Buffer.from(plain, 'utf8').toString('base64') });
export const token = (name: string) => ({ token: `${name}-token` });
