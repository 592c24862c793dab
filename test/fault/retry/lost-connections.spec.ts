import { constants } from 'node:http2';
import { afterEach, beforeEach, describe, it } from '@jest/globals';
import { answer, type Behaviour, destroySession, goaway, hang } from '../../support/stub-server.js';
import { Table } from './cells.js';
import { promised } from './promises.js';
import { fewSubjects } from './subjects.js';

const { answered, lost, unprocessedAndClosing } = promised;
const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = constants;

let table: Table;

// Anew for each test: a pool whose connections break again and again waits longer and longer before the next one.
beforeEach(() => {
  table = new Table(fewSubjects);
  return table.begin();
});

afterEach(() => table.end());

const goaways = [
  ['NO_ERROR', NGHTTP2_NO_ERROR],
  ['ENHANCE_YOUR_CALM', NGHTTP2_ENHANCE_YOUR_CALM],
] as const;

describe('GOAWAY', () => {
  it.each(goaways)(
    '%s below the stream: once more at no cost, then as often as allowed',
    async (_name, code) => {
      await table.expect({ behaviour: goaway(code, 'below'), promised: unprocessedAndClosing });
    },
  );

  it.each(['at', 'max'] as const)('at the stream or above (%s), which is answered', async last => {
    await table.expect({ behaviour: goaway(0, last), promised: answered }, { executes: true });
  });

  it.each(goaways)('%s at the stream, whose connection then dies', async (_name, code) => {
    const behaviour = inTurn(goaway(code, 'at', hang()), destroySession());
    await table.expect({ behaviour, promised: lost }, { executes: true });
  });
});

describe('a session that is destroyed', () => {
  it.each(['socket', 'reset', 'session'] as const)('after Milvus executed the request: %s', async how => {
    await table.expect({ behaviour: destroySession(how), promised: lost }, { executes: true });
  });

  it('amid the answer', async () => {
    const behaviour: Behaviour = call => {
      answer(undefined, { trailers: undefined })(call);
      destroySession('reset')(call);
    };
    await table.expect({ behaviour, promised: lost }, { executes: true });
  });
});

function inTurn(...behaviours: Behaviour[]): Behaviour {
  return call => {
    for (const behave of behaviours) behave(call);
  };
}
