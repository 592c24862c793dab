import { counted, listed } from './client-log.js';
import type { EndpointStats } from './pool-telemetry.js';
import { StructuredLogger } from './structured-logger.js';

/** What is said of the clients of an application as a whole, with the context `Milvus`. */
export class RegistryLog {
  private readonly logger = new StructuredLogger('Milvus');

  /** Which clients share their connections. */
  endpoints(endpoints: readonly EndpointStats[]): void {
    const each = endpoints.map(({ address, clients }) =>
      clients.length > 1 ? `${address} shared by ${listed(clients)}` : `${address} of ${clients[0]} alone`,
    );
    const count = endpoints.reduce((sum, { clients }) => sum + clients.length, 0);
    if (count < 2) return;
    const fields = { clients: count, endpoints: endpoints.length };
    this.logger.write(
      'log',
      `${counted(count, 'client')} on ${counted(endpoints.length, 'endpoint')}: ${each.join('; ')}`,
      fields,
    );
  }

  declaredRemoved(client: string, origin: string): void {
    const line = `client "${client}" is removed, which ${origin} declares: whoever had it injected gets MilvusClosedError from now on`;
    this.logger.write('warn', line, { client });
  }

  otherOptions(client: string): void {
    const line = `client "${client}" exists: the other options that getOrCreate() is given now do not count. remove() it first, or use another name`;
    this.logger.write('warn', line, { client });
  }
}
