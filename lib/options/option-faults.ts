import { MilvusConfigurationError } from '../errors/configuration-errors.js';

/** Collects what is wrong with one client's options, so that all of it is reported at once. */
export class OptionFaults {
  private readonly faults: { path: string; message: string }[] = [];

  /** `message` continues the path as a sentence: `must be …`, `is missing: …`. It must hold no secret. */
  add(path: string, message: string): void {
    this.faults.push({ path, message });
  }

  /** Whether nothing is wrong with these options: a rule over broken values would only mislead. */
  none(...options: string[]): boolean {
    return !this.faults.some(({ path }) =>
      options.some(option => path === option || path.startsWith(`${option}[`)),
    );
  }

  throwIfAny(client: string): void {
    if (this.faults.length === 0) return;
    const lines = this.faults.map(({ path, message }) => `  - ${path ? `${path}: ` : ''}${message}`);
    const message = `The options of Milvus client "${client}" cannot work:\n${lines.join('\n')}`;
    throw new MilvusConfigurationError(message, { client });
  }

  /** As {@link throwIfAny}, for what a method was given. */
  throwIfAnyOf({ client, method }: { client: string; method: string }): void {
    if (this.faults.length === 0) return;
    const faults = this.faults.map(({ path, message }) => `\`${path}\` ${message}`).join('; ');
    throw new MilvusConfigurationError(`Milvus client "${client}": ${method}(): ${faults}`, {
      client,
      method,
    });
  }
}
