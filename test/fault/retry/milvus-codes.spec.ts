import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { answer, type Behaviour, failure, type Message } from '../../support/stub-server.js';
import { Table } from './cells.js';
import { promised } from './promises.js';
import { fewSubjects } from './subjects.js';

const { doubtfulAnswer, transient, moving, refused } = promised;

const table = new Table(fewSubjects);

beforeAll(() => table.begin());
afterAll(() => table.end());

/** Milvus's own status, be it all of the answer or a part of it. */
function answersStatus(status: Message): Behaviour {
  return answer({ ...status, status });
}

describe('a refusal of Milvus that passes', () => {
  it.each([2, 4, 12, 103, 106, 110, 202, 305, 505, 507, 1002, 1003, 1807, 2200])(
    'code %d, whatever the flag says',
    async code => {
      const behaviour = answersStatus({ ...failure(code), retriable: false });
      await table.expect({ behaviour, promised: transient });
    },
  );

  it('code 1, under the name that Milvus has for it', async () => {
    const behaviour = answersStatus(failure(1, 'NotReadyServe'));
    await table.expect({ behaviour, promised: transient });
  });

  it('of a code that nobody has looked at, which Milvus itself calls retriable', async () => {
    const behaviour = answersStatus({ ...failure(2_999), retriable: true });
    await table.expect({ behaviour, promised: transient });
  });
});

describe('a refusal of Milvus while its data moves: for reads alone it passes', () => {
  it.each([401, 503, 901, 902, 904, 905])('code %d', async code => {
    await table.expect({ behaviour: answersStatus(failure(code)), promised: moving });
  });

  it.each(['find no available rootcoord, check rootcoord state', 'find no available datacoord'])(
    '65535, by a server that has lost its coordinators: %s',
    async reason => {
      const behaviour = answersStatus(failure(65_535, 'UnexpectedError', reason));
      await table.expect({ behaviour, promised: moving });
    },
  );
});

describe('a refusal of Milvus that lasts', () => {
  it.each([3, 5, 6, 7, 9, 10, 11, 100, 101, 1_100, 1_101, 1_107, 1_400, 1_401, 1_800, 1_806, 65_535])(
    'code %d, whatever the flag says',
    async code => {
      const behaviour = answersStatus({ ...failure(code), retriable: true });
      await table.expect({ behaviour, promised: refused });
    },
  );

  it.each(['UnexpectedError', 'Success'])('code 1, as Milvus Lite refuses: %s', async name => {
    await table.expect({ behaviour: answersStatus(failure(1, name)), promised: refused });
  });

  it.each([200, 700, 2_999])('code %d, and the rest', async code => {
    await table.expect({ behaviour: answersStatus(failure(code)), promised: refused });
  });

  it.each([2, 503, 2_999])('code %d of a request that is at fault itself', async code => {
    const status = { ...failure(code), retriable: true, extra_info: { is_input_error: 'true' } };
    await table.expect({ behaviour: answersStatus(status), promised: refused });
  });

  it('of an old server, which has no code', async () => {
    const status = { ...failure(0, 'IllegalArgument'), retriable: false };
    await table.expect({ behaviour: answersStatus(status), promised: refused });
  });
});

describe('a refusal of Milvus that may have come too late', () => {
  it.each<[string, Message]>([
    ['code 10000', failure(10_000)],
    ['code 10001', failure(10_001)],
    ['65535, out of time', failure(65_535, 'UnexpectedError', 'context deadline exceeded')],
    ['65535, given up', failure(65_535, 'UnexpectedError', 'rpc failed: context canceled')],
  ])('%s', async (_what, status) => {
    await table.expect({ behaviour: answersStatus(status), promised: doubtfulAnswer });
  });
});
