import type { MethodCase } from './cases.js';
import { handledFailure } from './handled.js';
import type { Run } from './runs.js';
import type { Step } from './scenes.js';
import type { Shape } from './shapes.js';

/** A method, and which of its RPCs goes wrong: all of them, or one. */
export interface Failure {
  of: MethodCase;
  shape: Shape;
  step?: Step;
}

/** One run of ours beside the same run of the plain SDK. */
export interface Trial extends Failure {
  run: Run;
  /** The deadline it had. */
  limitMs: number;
  /** None for what the plain SDK would wait for too long. */
  plain?: Run;
}

/**
 * How a method fails in a shape: with all of its RPCs, and with each of them alone.
 *
 * @param rpcs what it sends on a good day
 */
export function failuresOf(of: MethodCase, shape: Shape, rpcs: readonly string[]): Failure[] {
  if (shape.methods && !shape.methods.includes(of.method)) return [];
  const steps = (shape.singly ? rpcs : [])
    .map((rpc, place) => ({ rpc, nth: rpcs.slice(0, place).filter(each => each === rpc).length }))
    // One RPC is all RPCs, unless the method then sends another one.
    .filter(step => rpcs.length > 1 || handledFailure(of, shape, step)?.rpc);
  return [{ of, shape }, ...steps.map(step => ({ of, shape, step }))];
}

export function describeFailure({ of, step }: Failure): string {
  return `${of.name}, ${step ? `${step.rpc} #${step.nth + 1} fails` : 'all fails'}`;
}
