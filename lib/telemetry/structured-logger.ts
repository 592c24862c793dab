import { inspect } from 'node:util';
import { ConsoleLogger, Logger, type LoggerService } from '@nestjs/common';

export type LogLevel = 'log' | 'warn' | 'error' | 'debug';
/** Not `level`, `pid`, `timestamp`, `message`, `msg` and `context`: loggers write these themselves. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/**
 * One context's log lines through Nest's `Logger`: a sentence for people, and fields for machines. A text log prints
 * the sentence alone, a JSON log also the fields.
 */
export class StructuredLogger {
  private readonly logger: FieldsLogger;

  /** @param own fields of every line */
  constructor(context: string, own: LogFields = {}) {
    this.logger = new FieldsLogger(context, own);
  }

  /** A field that is `undefined` is left out. Never throws: the logger is the application's. */
  write(level: LogLevel, text: string, fields: LogFields = {}): void {
    this.logger[level](text, fields);
  }
}

/**
 * Nest keeps the lines of a start with `bufferLogs` until the application has named its logger. So a line gets its form
 * as late as Nest looks up the logger that prints it.
 */
class FieldsLogger extends Logger {
  constructor(
    context: string,
    private readonly own: LogFields,
  ) {
    super(context);
  }

  override get localInstance(): LoggerService {
    const logger: LoggerService | undefined = super.localInstance;
    const at =
      (level: LogLevel) =>
      (text: string, fields: LogFields, context: string): void => {
        // There is none with `logger: false`.
        if (!logger) return;
        try {
          print(logger, level, text, () => defined(this.own, fields), context);
        } catch {
          // There is nobody left to tell.
        }
      };
    return { log: at('log'), warn: at('warn'), error: at('error'), debug: at('debug') };
  }
}

/** Nest 12 takes fields behind the message. Nest 11 prints them as a second message. */
const NEST_KNOWS_FIELDS = 'stringifyParams' in ConsoleLogger.prototype;

function print(
  logger: LoggerService,
  level: LogLevel,
  text: string,
  fields: () => LogFields,
  context: string,
): void {
  // At error a stack trace stands before the context.
  const rest = level === 'error' ? [undefined, context] : [context];
  try {
    if (!(logger instanceof ConsoleLogger)) {
      logger[level]?.(new LogLine(text, fields()), ...rest);
    } else if (logger.isLevelEnabled(level)) {
      const { json, structuredParams } = optionsOf(logger);
      if (!json) logger[level](text, context);
      else if (NEST_KNOWS_FIELDS && structuredParams !== false) logger[level](text, fields(), context);
      else logger[level]({ message: text, ...fields() }, context);
    }
  } catch {
    // It may take text only.
    logger[level]?.(text, ...rest);
  }
}

function optionsOf(logger: ConsoleLogger): { json?: boolean; structuredParams?: boolean } {
  return (logger as unknown as { options?: object }).options ?? {};
}

function defined(...sources: LogFields[]): LogFields {
  return Object.fromEntries(
    sources.flatMap(source => Object.entries(source).filter(([, value]) => value !== undefined)),
  );
}

/**
 * What loggers other than Nest's own get as message. Those of nestjs-pino and nest-winston copy the fields of an object into
 * their record, pino takes the sentence from `msg` and winston from `message`. One that wants text, gets it.
 */
class LogLine {
  readonly msg: string;

  constructor(text: string, fields: LogFields) {
    Object.assign(this, fields);
    this.msg = text;
  }

  get message(): string {
    return this.msg;
  }

  toString(): string {
    return this.msg;
  }

  toJSON(): object {
    const { msg, ...fields } = this;
    return { message: msg, ...fields };
  }

  [inspect.custom](): string {
    return this.msg;
  }
}
