/** A lease that is held, and for how long. */
export interface HeldLease {
  /** Name of the client it was acquired through. */
  readonly client: string;
  readonly ageMs: number;
  /** Where it was acquired. */
  readonly stack: string;
}

/** Is told of what looks like a lease that was forgotten; must not throw. */
export interface LeakObserver {
  leaseLeaked(lease: HeldLease): void;
  tooManyLeases(leases: readonly HeldLease[], maxHeld: number): void;
}
