import type { MilvusClientOptions } from '../../../lib/index.js';

export type Options = Partial<MilvusClientOptions>;

/** That an option changes something. */
export interface Proof {
  /** What is seen with these options. */
  see: (options: Options) => Promise<unknown>;
  options: Options;
  expected: unknown;
  /** What is seen without; else the option would do nothing. */
  without: unknown;
}
