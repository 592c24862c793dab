import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { milvusService } from '../stub-answers.js';
import { type Variant, variantsOf } from './arguments.js';
import { listedMethods } from './methods.js';

/** One way to call one public method. */
export interface MethodCase {
  name: string;
  method: string;
  variant: Variant;
}

/** Every public method of this SDK, and those that nobody has said yet how to call. */
export function methodCases(client: MilvusClient): { cases: MethodCase[]; unknown: string[] } {
  const cases: MethodCase[] = [];
  const unknown: string[] = [];
  for (const { name: method, aliasOf } of listedMethods(client)) {
    const variants = variantsOf(method) ?? (aliasOf === undefined ? undefined : variantsOf(aliasOf));
    if (!variants)
      unknown.push(`new SDK method ${method}: give it arguments in test/support/every-method/arguments.ts`);
    for (const variant of variants ?? []) {
      if (variant.rpc && !milvusService[variant.rpc]) continue;
      cases.push({ name: variant.label ? `${method} (${variant.label})` : method, method, variant });
    }
  }
  return { cases, unknown };
}
