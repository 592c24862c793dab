import { repeatabilityOf } from '../../../lib/endpoint/rpc-catalogue.js';
import type { Repeatability } from '../../../lib/resilience/setback.js';
import type { Trial } from './failures.js';
import type { Shape } from './shapes.js';

/** gRPC codes with which nobody says whether the RPC was executed. */
const unknownCodes = [1, 2, 4, 8, 13, 14];

/** Drops something by an RPC that else adds. */
const drops = ['callAlterCollectionSchema', 'dropCollectionField', 'dropFunctionField'];

/** What a failed RPC was to do, when nobody can know whether it did; undefined when it is known. */
export function unknownFate({ of, shape, step, run }: Trial): Repeatability | undefined {
  // When all fail, the first one decides.
  const rpc = step?.rpc ?? run.rpcs[0]!;
  // Several steps, each of which may have met the rate limit.
  const byFilter = rpc === 'Delete' && of.name !== 'delete (by ids)';
  if (!leavesOpen(shape) && !(shape.status?.code === 8 && byFilter)) return undefined;
  return rpc === 'AlterCollectionSchema' && drops.includes(of.method) ? 'once' : repeatabilityOf(rpc);
}

/** How many more writes the method sent. */
export function writesBeside({ step, run }: Trial): number {
  const failed = step?.rpc ?? run.rpcs[0]!;
  const writes = run.rpcs.filter(rpc => repeatabilityOf(rpc) !== 'read');
  return writes.length - (writes.includes(failed) ? 1 : 0);
}

function leavesOpen({ kind, name, grpcCode }: Shape): boolean {
  switch (kind) {
    case 'grpc':
      return unknownCodes.includes(grpcCode!);
    case 'reset':
      return name !== 'RST_STREAM REFUSED_STREAM';
    case 'garbage':
    case 'hang':
      return true;
    case 'status':
    case 'empty':
      return false;
  }
}
