import type { MilvusError, MilvusErrorContext } from '../errors/milvus-error.js';

/**
 * One error for all of them, each with its message in a line.
 *
 * @param what begins the message, behind their number
 */
export function combined<Failure extends MilvusError>(
  failures: readonly Failure[],
  what: string,
  Combined: new (message: string, context: MilvusErrorContext) => Failure,
): Failure {
  if (failures.length === 1) return failures[0]!;
  const lines = failures.map(({ message }) => `- ${message}`);
  return new Combined(`${failures.length} ${what}:\n${lines.join('\n')}`, {
    client: failures.map(({ client }) => client).join(', '),
    cause: new AggregateError(failures),
  });
}
