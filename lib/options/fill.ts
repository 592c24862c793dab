/** The options given, and the defaults of those that are not. A value of `undefined` counts as not given. */
export function fill<T extends object>(defaults: T, given: Partial<T> = {}): T {
  const entries = Object.entries(defaults).map(([key, value]) => [key, given[key as keyof T] ?? value]);
  return Object.fromEntries(entries) as T;
}
