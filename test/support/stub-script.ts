import { milvusService } from './stub-answers.js';
import { answer, type Behaviour } from './stub-behaviours.js';

/** Stands for every RPC that has no behaviour of its own. */
export const ANY = '*';

/** Which behaviour the next call of an RPC gets. */
export class StubScript {
  private readonly standing = new Map<string, Behaviour>();
  private readonly queued = new Map<string, Behaviour[]>();

  always(rpc: string, behaviour: Behaviour): void {
    this.standing.set(known(rpc), behaviour);
  }

  next(rpc: string, behaviour: Behaviour, times: number): void {
    const queue = this.queued.get(known(rpc)) ?? [];
    for (let i = 0; i < times; i += 1) queue.push(behaviour);
    this.queued.set(rpc, queue);
  }

  clear(rpc?: string): void {
    for (const map of [this.standing, this.queued]) {
      if (rpc === undefined) map.clear();
      else map.delete(rpc);
    }
  }

  pick(rpc: string): Behaviour {
    return (
      this.queued.get(rpc)?.shift() ??
      this.queued.get(ANY)?.shift() ??
      this.standing.get(rpc) ??
      this.standing.get(ANY) ??
      answer()
    );
  }
}

function known(rpc: string): string {
  if (rpc !== ANY && !milvusService[rpc]) throw new Error(`Milvus has no RPC named ${rpc}`);
  return rpc;
}
