const given = process.argv.slice(2);

/** Whether it only has to run, in seconds, as in CI; nobody reads the figures. */
export const short = given.includes('--short');

const values = given.filter(argument => !argument.startsWith('--'));

/** The argument at this place, or its default. */
export function argument(index: number, normally: number, whenShort: number): number {
  return Number(values[index] ?? (short ? whenShort : normally));
}
