import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type MethodCase, methodCases } from '../../support/every-method/cases.js';
import { isSameOutcome, show } from '../../support/every-method/compare.js';
import {
  describeFailure,
  type Failure,
  failuresOf,
  type Trial,
} from '../../support/every-method/failures.js';
import { wrongInStatus } from '../../support/every-method/in-status.js';
import { wrongInThrow } from '../../support/every-method/in-throw.js';
import { PlainSdk } from '../../support/every-method/plain-sdk.js';
import { type ErrorMode, PooledRuns } from '../../support/every-method/pooled-client.js';
import { quickenPolls } from '../../support/every-method/quick-polls.js';
import { isIterator, type Run } from '../../support/every-method/runs.js';
import { Scenes, type Script } from '../../support/every-method/scenes.js';
import { type Shape, shapes } from '../../support/every-method/shapes.js';
import { isGood } from '../../support/every-method/success.js';
import { closeClients, SOON_MS } from '../../support/pooled-client.js';
import { StubServer } from '../../support/stub-server.js';

/** Far away: the whole of a shape runs at once, on a machine that does other things too. */
const AMPLE_MS = 10_000;
/** For what would go on for ever. */
const SHORT_MS = 300;

const modes: ErrorMode[] = ['throw', 'status'];
const wrongIn: Record<ErrorMode, (trial: Trial) => string | undefined> = {
  throw: trial => wrongInThrow(trial),
  status: wrongInStatus,
};

let restoreTimers: () => void;
let stub: StubServer;
let scenes: Scenes;
let plain: PlainSdk;
let pooled: Record<ErrorMode, PooledRuns>;
let cases: MethodCase[];
let unknown: string[];
/** What each case is in the plain SDK when all goes well. */
let good: Map<MethodCase, Run>;

beforeAll(async () => {
  // The SDK's search iterator prints what it swallows.
  jest.spyOn(console, 'error').mockImplementation(() => {});
  restoreTimers = quickenPolls();
  stub = await StubServer.start();
  scenes = new Scenes(stub);
  plain = await PlainSdk.start(stub.address);
  pooled = {
    throw: new PooledRuns(stub.address, 'throw'),
    status: new PooledRuns(stub.address, 'status'),
  };
  ({ cases, unknown } = methodCases(plain.client));
  const runs = cases.map(async of => {
    const { method, variant } = of;
    return [of, await plain.run(scenes.add(variant), method, variant.args())] as const;
  });
  good = new Map(await Promise.all(runs));
});

afterAll(async () => {
  plain?.stop();
  await closeClients();
  await stub?.stop();
  restoreTimers();
  jest.restoreAllMocks();
});

async function all<Item>(
  items: Item[],
  judge: (item: Item) => Promise<(string | undefined)[]>,
): Promise<string[]> {
  const verdicts = await Promise.all(items.map(judge));
  const wrong = verdicts.flat().filter(verdict => verdict !== undefined);
  return wrong.length > 40 ? [...wrong.slice(0, 40), `and ${wrong.length - 40} more`] : wrong;
}

it('knows every public method of the SDK', () => {
  expect(unknown).toEqual([]);
});

describe('a method that succeeds', () => {
  it('is a fair reference: the plain SDK comes to a good end', () => {
    const holes = cases.filter(of => !isGood(good.get(of)!));

    expect(holes.map(of => `${of.name}: ${good.get(of)!.rpcs} ${show(good.get(of)!.outcome)}`)).toEqual([]);
  });

  it.each(modes)('gives what it gives in the plain SDK, after the same RPCs, in %s', async mode => {
    const wrong = await all(cases, async of => {
      const { method, variant } = of;
      const theirs = good.get(of)!;
      const ours = await pooled[mode].run(scenes.add(variant), method, variant.args(), AMPLE_MS);
      const same = isSameOutcome(ours.outcome!, theirs.outcome!) && `${ours.rpcs}` === `${theirs.rpcs}`;
      const [a, b] = [ours, theirs].map(({ rpcs, outcome }) => `${rpcs} ${show(outcome)}`);
      return [same ? undefined : `${of.name}: ${a}, plain SDK ${b}`];
    });

    expect(wrong).toEqual([]);
  });
});

function failures(shape: Shape): Failure[] {
  return cases.flatMap(of => failuresOf(of, shape, good.get(of)!.rpcs));
}

function scriptOf({ of, shape, step }: Failure): Script {
  return { answers: of.variant.answers, fault: { shape, ...(step && { step }) } };
}

/** Whether it needs no deadline: the plain SDK comes to an end, or in 'throw' a refusal is the end. */
function endsAlone({ shape }: Failure, mode: ErrorMode, theirs: Run): boolean {
  return theirs.outcome !== undefined || (mode === 'throw' && shape.kind !== 'empty');
}

describe.each(shapes.filter(({ kind }) => kind !== 'hang'))('a method whose RPC fails: $name', shape => {
  it('is an error in throw, and as in the plain SDK in status', async () => {
    const trials = failures(shape);
    const wrong = await all(trials, async failure => {
      const { of } = failure;
      const { method, variant } = of;
      const script = scriptOf(failure);
      const theirs = await plain.run(scenes.add(script), method, variant.args(), good.get(of)!.rpcs);
      return Promise.all(
        modes.map(async mode => {
          const limitMs = endsAlone(failure, mode, theirs) ? AMPLE_MS : SHORT_MS;
          const runOnce = () => pooled[mode].run(scenes.add(script), method, variant.args(), limitMs);
          let run = await runOnce();
          // On a machine that stalls a short time may be up before the fault.
          for (let again = 0; again < 3 && limitMs === SHORT_MS && run.faults === 0; again += 1)
            run = await runOnce();
          const trial = { ...failure, run, limitMs, plain: theirs };
          const verdict = run.faults === 0 ? `never got to it: ${run.rpcs}` : wrongIn[mode](trial);
          return verdict && `${describeFailure(failure)}, ${mode}: ${verdict}`;
        }),
      );
    });

    expect(trials.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});

describe.each(shapes.filter(({ kind }) => kind === 'hang'))('a method whose RPC gets $name', shape => {
  it.each(modes)('ends at its deadline, in %s', async mode => {
    const trials = failures(shape);
    const wrong = await all(trials, async failure => {
      const { method, variant } = failure.of;
      const scene = scenes.add(scriptOf(failure));
      const run = await pooled[mode].run(scene, method, variant.args(), SHORT_MS);
      const verdict = wrongIn[mode]({ ...failure, run, limitMs: SHORT_MS });
      // Creating an iterator is a call, and so is its first page.
      const mostMs = SHORT_MS * (isIterator(method) ? 2 : 1) + SOON_MS;
      const late = run.ms > mostMs ? `took ${run.ms} ms` : undefined;
      return [verdict, late].map(each => each && `${describeFailure(failure)}, ${mode}: ${each}`);
    });

    expect(trials.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});
