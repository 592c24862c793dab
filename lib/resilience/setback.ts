/** What becomes of an RPC that Milvus executes twice. */
export type Repeatability =
  /** It changes nothing. */
  | 'read'
  /** It sets a state; again it leaves the same one. */
  | 'repeatable'
  /** Something else than after once. */
  | 'once';

/** Why an attempt of an RPC did not succeed, as far as it matters for another one. */
export interface Setback {
  /**
   * `not-processed`: it is proven that Milvus did not execute it. `refused`: Milvus answered, and said no. `unknown`: there is
   * no telling whether it did.
   */
  readonly fate: 'not-processed' | 'refused' | 'unknown';
  /** Whether another attempt may do better: at once, after a longer pause, only for what reads, or not. */
  readonly hope: 'transient' | 'rate-limited' | 'transient-for-reads' | 'none';
}

/** Whether the RPC may be sent again after this. */
export function mayRepeat({ fate, hope }: Setback, repeatability: Repeatability): boolean {
  if (hope === 'none') return false;
  if (fate === 'not-processed' || repeatability === 'read') return true;
  return repeatability === 'repeatable' && hope !== 'transient-for-reads';
}
