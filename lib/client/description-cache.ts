import { type Clock, systemClock } from '../resilience/clock.js';

/** As the SDK's own cache: descriptions of so many collections, for so long. */
const MAX_ENTRIES = 256;
const MAX_AGE_MS = 12 * 60_000;

/**
 * Keeps the descriptions that were used last, in a plain Map: the cache that the SDK has for it takes 10 KB as soon as it
 * is made, for each client.
 */
export class DescriptionCache<Description> {
  /** The one that was used last stands last. */
  private readonly entries = new Map<string, { description: Description; until: number }>();

  constructor(private readonly clock: Clock = systemClock) {}

  get(key: string): Description | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    this.entries.delete(key);
    if (this.clock.now() >= entry.until) return undefined;
    this.entries.set(key, entry);
    return entry.description;
  }

  set(key: string, description: Description): void {
    this.entries.delete(key);
    this.entries.set(key, { description, until: this.clock.now() + MAX_AGE_MS });
    if (this.entries.size <= MAX_ENTRIES) return;
    const [oldest] = this.entries.keys();
    this.entries.delete(oldest!);
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  keys(): Iterable<string> {
    return this.entries.keys();
  }
}
