import { inspect, stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ConsoleLogger, type ConsoleLoggerOptions, Logger, type LoggerService } from '@nestjs/common';
import { StructuredLogger } from '../../lib/telemetry/structured-logger.js';

let printed: string;

beforeEach(() => {
  printed = '';
  for (const stream of [process.stdout, process.stderr]) {
    jest.spyOn(stream, 'write').mockImplementation((text): boolean => {
      printed += text;
      return true;
    });
  }
});

afterEach(() => {
  jest.restoreAllMocks();
  Logger.overrideLogger(['fatal']);
});

/** What Nest's own logger prints of one warning, with colours. */
function printedBy(options: ConsoleLoggerOptions, level: 'warn' | 'error' = 'warn'): string {
  Logger.overrideLogger(new ConsoleLogger(options));
  new StructuredLogger('Milvus:search', { client: 'search', endpoint: 'h:1' }).write(level, 'it is away', {
    state: 'unavailable',
    durationMs: 12,
    shared: false,
    addresses: ['h:1', 'h:2'],
    version: undefined,
  });
  return printed;
}

const FIELDS = {
  client: 'search',
  endpoint: 'h:1',
  state: 'unavailable',
  durationMs: 12,
  shared: false,
  addresses: ['h:1', 'h:2'],
};
const JSON_LINE = { pid: process.pid, timestamp: expect.any(Number), context: 'Milvus:search' };

describe("a line in Nest's own log", () => {
  it('is the sentence alone as text, coloured as every line', () => {
    const text = printedBy({ colors: true });

    expect(stripVTControlCharacters(text)).toMatch(/ WARN \[Milvus:search\] it is away\n$/);
    expect(text).toContain('\u001b[33mit is away\u001b[39m');
  });

  it('is the sentence alone as text at error too, with no stack', () => {
    expect(printedBy({ colors: false }, 'error')).toMatch(
      /^\[Nest\].* ERROR \[Milvus:search\] it is away\n$/,
    );
  });

  it.each(['warn', 'error'] as const)('has its fields as `params` in JSON, at %s', level => {
    const text = printedBy({ json: true }, level);

    expect(JSON.parse(text)).toEqual({ ...JSON_LINE, level, message: 'it is away', params: FIELDS });
  });

  it('has its fields beside the others with `flattenParams`', () => {
    const text = printedBy({ json: true, flattenParams: true });

    expect(JSON.parse(text)).toEqual({ ...JSON_LINE, ...FIELDS, level: 'warn', message: 'it is away' });
  });

  // The message of Nest 11 too, which has no such option (scripts/package-check).
  it('is one object where Nest keeps fields out of its records', () => {
    const text = printedBy({ json: true, structuredParams: false });

    expect(JSON.parse(text)).toEqual({
      ...JSON_LINE,
      level: 'warn',
      message: { message: 'it is away', ...FIELDS },
    });
  });

  it('is not made at a level that is off', () => {
    Logger.overrideLogger(new ConsoleLogger({ json: true, logLevels: ['warn'] }));
    const read = jest.fn(() => 1);
    const fields = {
      get leases() {
        return read();
      },
    };
    const logger = new StructuredLogger('Milvus:search');
    logger.write('debug', 'a detail', fields);

    expect(read).not.toHaveBeenCalled();
    expect(printed).toBe('');

    logger.write('warn', 'a warning', fields);
    expect(JSON.parse(printed).params).toEqual({ leases: 1 });
  });

  it('is not written with `logger: false`', () => {
    Logger.overrideLogger(false);
    new StructuredLogger('Milvus:search').write('warn', 'it is away');

    expect(printed).toBe('');
  });
});

describe("a line in the application's logger", () => {
  /** Copies as nestjs-pino and nest-winston do, which see an object's own fields and winston's `message`. */
  let lines: { level: string; message: { message: string }; rest: unknown[] }[];
  const loggerThat = (takes: (message: never) => void): LoggerService => {
    const at =
      (level: string) =>
      (message: never, ...rest: unknown[]): void => {
        takes(message);
        lines.push({ level, message, rest });
      };
    return { log: at('log'), warn: at('warn'), error: at('error'), debug: at('debug') };
  };

  beforeEach(() => {
    lines = [];
  });

  it('is an object that has the fields to copy, and reads as the sentence', () => {
    Logger.overrideLogger(loggerThat(() => {}));
    new StructuredLogger('Milvus:search', { client: 'search' }).write('log', 'it is back', {
      leases: 2,
      version: undefined,
    });

    const [{ level, message, rest } = lines[0]!] = lines;
    expect([level, rest]).toEqual(['log', ['Milvus:search']]);
    expect({ ...message }).toStrictEqual({ msg: 'it is back', client: 'search', leases: 2 });
    expect(message.message).toBe('it is back');
    expect([`${message}`, inspect(message)]).toEqual(['it is back', 'it is back']);
    expect(JSON.parse(JSON.stringify(message))).toEqual({
      message: 'it is back',
      client: 'search',
      leases: 2,
    });
  });

  it('leaves the place of the stack trace empty at error', () => {
    Logger.overrideLogger(loggerThat(() => {}));
    new StructuredLogger('Milvus:search').write('error', 'it is away');

    expect(lines[0]!.rest).toEqual([undefined, 'Milvus:search']);
  });

  it('is the sentence for one that takes only text', () => {
    Logger.overrideLogger(loggerThat((message: string) => message.trim()));
    new StructuredLogger('Milvus:search').write('warn', 'it is away', { leases: 2 });

    expect(lines).toEqual([{ level: 'warn', message: 'it is away', rest: ['Milvus:search'] }]);
  });

  it('is lost in one that throws, and nothing else is', () => {
    Logger.overrideLogger(
      loggerThat(() => {
        throw new Error('disk full');
      }),
    );

    expect(() => new StructuredLogger('Milvus:search').write('warn', 'it is away')).not.toThrow();

    Logger.attachBuffer();
    new StructuredLogger('Milvus:search').write('warn', 'it is away');
    expect(() => Logger.flush()).not.toThrow();
  });

  it('gets its form when the application names its logger, not before (bufferLogs)', () => {
    Logger.attachBuffer();
    new StructuredLogger('Milvus:search').write('warn', 'it is away', { leases: 2 });
    Logger.overrideLogger(loggerThat(() => {}));
    Logger.flush();

    expect({ ...lines[0]!.message }).toEqual({ msg: 'it is away', leases: 2 });
    expect(lines[0]!.rest).toEqual(['Milvus:search']);
  });
});
