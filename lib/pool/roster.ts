import type { Member, PooledConnection } from './member.js';

/** Which connections a pool has, and which of them are shared. */
export class Roster<Connection extends PooledConnection> {
  /** Every connection whose socket may be open. */
  readonly members = new Set<Member<Connection>>();
  /** Those of them that take calls of everybody. */
  readonly shared: Member<Connection>[] = [];

  constructor(private readonly maxShared: number) {}

  /** Whether another one may be shared. */
  get hasPlace(): boolean {
    return this.shared.length < this.maxShared;
  }

  /** It takes calls of everybody no longer. Harmless when it took none. */
  unshare(member: Member<Connection>): void {
    const index = this.shared.indexOf(member);
    if (index >= 0) this.shared.splice(index, 1);
  }

  /** Shares one in another one's place, if that one is shared. */
  swap(old: Member<Connection>, member: Member<Connection>): boolean {
    const index = this.shared.indexOf(old);
    if (index >= 0) this.shared[index] = member;
    return index >= 0;
  }

  /** Of equally busy ones the first is taken: rather another one from now on. */
  putLast(member: Member<Connection>): void {
    this.unshare(member);
    this.shared.push(member);
  }
}
