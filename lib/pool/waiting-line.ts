import type { Clock, Scheduled } from '../resilience/clock.js';

/** Somebody's place in a line. */
export interface Place<Waiter> {
  readonly waiter: Waiter;
  readonly ticket: number;
  readonly since: number;
  /** When it stops waiting. */
  readonly until: number;
  /** @internal */
  limit: Scheduled;
  /** @internal */
  before?: Place<Waiter>;
  /** @internal */
  after?: Place<Waiter>;
  /** @internal */
  left?: boolean;
}

/**
 * A bounded first-come-first-served line; each waiter with its own time limit. A linked list, so that everything takes
 * the same short time with ten thousand waiting.
 */
export class WaitingLine<Waiter> {
  private first?: Place<Waiter>;
  private last?: Place<Waiter>;
  private count = 0;
  private tickets = 0;

  constructor(
    private readonly maxPending: number,
    private readonly clock: Clock,
    /** Told of everyone who waited to his limit. */
    private readonly onTimeout: () => void = () => {},
  ) {}

  get pending(): number {
    return this.count;
  }

  get full(): boolean {
    return this.count >= this.maxPending;
  }

  /** A number for one that comes now; whoever comes again with it stands before those who came later. */
  ticket(): number {
    return ++this.tickets;
  }

  /**
   * @param onLimit called when `limitMs` passed; the waiter has left the line by then
   * @param ticket of a waiter that comes again
   */
  join(waiter: Waiter, limitMs: number, onLimit: () => void, ticket = this.ticket()): Place<Waiter> {
    const expire = () => {
      this.remove(place);
      this.onTimeout();
      onLimit();
    };
    const limit = this.clock.schedule(expire, limitMs);
    const since = this.clock.now();
    const place: Place<Waiter> = { waiter, ticket, since, until: since + limitMs, limit };
    this.insert(place);
    this.count++;
    return place;
  }

  /** The waiter does not wait any longer. Harmless when it has left already. */
  leave(place: Place<Waiter>): void {
    if (place.left) return;
    this.remove(place);
    // Its call may have the same limit, and have been the first to say that it has passed.
    if (place.until - this.clock.now() < 1) this.onTimeout();
  }

  /** Takes the one who has waited longest out of the line. */
  next(): Place<Waiter> | undefined {
    const { first } = this;
    if (first) this.remove(first);
    return first;
  }

  /** Takes everybody out of it. */
  *everybody(): Iterable<Waiter> {
    for (let place = this.next(); place; place = this.next()) yield place.waiter;
  }

  private remove(place: Place<Waiter>): void {
    place.left = true;
    place.limit.cancel();
    this.count--;
    if (place.before) place.before.after = place.after;
    else this.first = place.after;
    if (place.after) place.after.before = place.before;
    else this.last = place.before;
    // Whoever still holds this place must not hold all who came after.
    place.before = undefined;
    place.after = undefined;
  }

  private insert(place: Place<Waiter>): void {
    const { last } = this;
    if (!last || last.ticket < place.ticket) {
      place.before = last;
      if (last) last.after = place;
      else this.first = place;
      this.last = place;
      return;
    }
    // Came before and comes again: there are few of them, and they stand at the front.
    let behind = this.first!;
    while (behind.ticket < place.ticket) behind = behind.after!;
    place.after = behind;
    place.before = behind.before;
    if (behind.before) behind.before.after = place;
    else this.first = place;
    behind.before = place;
  }
}
