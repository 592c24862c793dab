/** Freezes plain data and all that it holds. */
export function deepFreeze<T>(value: T): T {
  // What is frozen, is so by this function: all of it.
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
