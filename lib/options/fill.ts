/**
 * The options given, and the defaults of those that are not; the defaults themselves where none is given. A value of
 * `undefined` counts as not given.
 */
export function fill<T extends object>(defaults: T, given: Partial<T> = {}): T {
  let filled = defaults;
  for (const key in given) {
    if (given[key] === undefined) continue;
    if (filled === defaults) filled = { ...defaults };
    filled[key] = given[key];
  }
  return filled;
}
