import { constants } from 'node:http2';
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { atHeaders, type RstWhen, rst } from '../../support/stub-server.js';
import { Table } from './cells.js';
import { promised } from './promises.js';
import { fewSubjects } from './subjects.js';

const { lost, doubtfulOnTheWay, unprocessed } = promised;
const { NGHTTP2_INADEQUATE_SECURITY, NGHTTP2_REFUSED_STREAM } = constants;

const table = new Table(fewSubjects);

beforeAll(() => table.begin());
afterAll(() => table.end());

/** All that HTTP/2 has. */
const codes = Array.from({ length: 14 }, (_, code) => [http2CodeName(code), code] as const);

function http2CodeName(code: number): string {
  const names = Object.entries(constants).filter(([name]) => /^NGHTTP2_[A-Z]+_?[A-Z_1]*$/.test(name));
  return names.find(([, value]) => value === code)?.[0] ?? String(code);
}

function promiseOf(code: number, when: RstWhen) {
  if (code === NGHTTP2_INADEQUATE_SECURITY) return doubtfulOnTheWay;
  return code === NGHTTP2_REFUSED_STREAM && when === 'before-headers' ? unprocessed : lost;
}

describe.each(['before-headers', 'after-headers', 'mid-message'] as const)(
  'a stream that the server resets %s',
  when => {
    it.each(codes)('%s', async (_name, code) => {
      const executes = when !== 'before-headers';
      await table.expect({ behaviour: rst(code, { when }), promised: promiseOf(code, when) }, { executes });
    });
  },
);

it.each(['NGHTTP2_INTERNAL_ERROR', 'NGHTTP2_REFUSED_STREAM', 'NGHTTP2_ENHANCE_YOUR_CALM'] as const)(
  'a stream that the server resets before it has read the request: %s',
  async name => {
    const code = constants[name];
    await table.expect({ behaviour: atHeaders(rst(code)), promised: promiseOf(code, 'before-headers') });
  },
);
