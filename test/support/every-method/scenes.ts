import { answer, status } from '../stub-behaviours.js';
import type { StubCall } from '../stub-call.js';
import { ANY, type StubServer } from '../stub-server.js';
import { goodAnswer } from './answers.js';
import type { Variant } from './arguments.js';
import type { Shape } from './shapes.js';

/** Which RPC of a method goes wrong; without one, all do. */
export interface Step {
  rpc: string;
  /** Counted among those of the same name, from 0. */
  nth: number;
}

/** How the stub plays one run of one method. */
export interface Script {
  answers?: Variant['answers'];
  fault?: { shape: Shape; step?: Step };
}

/** One run of one method, as the stub sees it. */
export class Scene {
  /** What arrived. */
  readonly rpcs: string[] = [];
  faults = 0;

  constructor(
    /** Every RPC of the run carries it, and no other run's does. It also keeps their cached schemas apart. */
    readonly database: string,
    private readonly script: Script,
  ) {}

  play(call: StubCall): void {
    const nth = this.rpcs.filter(rpc => rpc === call.rpc).length;
    this.rpcs.push(call.rpc);
    const { answers, fault } = this.script;
    if (fault && fails(fault.shape, fault.step, call.rpc, nth)) {
      this.faults += 1;
      fault.shape.play(call);
    } else {
      answer(answers?.[call.rpc] ?? goodAnswer(call.rpc, call.request))(call);
    }
  }
}

/** A refusal is said once. Of the rest a transport may try again what was not processed, and meets the same again. */
function fails({ kind }: Shape, step: Step | undefined, rpc: string, nth: number): boolean {
  if (!step) return true;
  const again = kind !== 'status' && kind !== 'empty';
  return rpc === step.rpc && (again ? nth >= step.nth : nth === step.nth);
}

/** Lets one stub play many runs at once. */
export class Scenes {
  private readonly open = new Map<string, Scene>();
  private made = 0;

  constructor(stub: StubServer) {
    stub.always(ANY, call => {
      const scene = this.open.get(String(call.metadata['dbname']));
      if (scene) scene.play(call);
      else status(13, `no scene for the database ${call.metadata['dbname']}`)(call);
    });
  }

  add(script: Script): Scene {
    this.made += 1;
    const scene = new Scene(`run${this.made}`, script);
    this.open.set(scene.database, scene);
    return scene;
  }
}
