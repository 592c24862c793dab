import type { LoggerService, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';

/** Keeps what an application logs, and prints nothing. */
export class RecordedLog implements LoggerService {
  readonly lines: string[] = [];

  log = (message: unknown, ...rest: unknown[]) => this.add('log', message, rest);
  warn = (message: unknown, ...rest: unknown[]) => this.add('warn', message, rest);
  error = (message: unknown, ...rest: unknown[]) => this.add('error', message, rest);
  debug = (message: unknown, ...rest: unknown[]) => this.add('debug', message, rest);
  verbose = (message: unknown, ...rest: unknown[]) => this.add('verbose', message, rest);
  fatal = (message: unknown, ...rest: unknown[]) => this.add('fatal', message, rest);

  /** The lines of one client, as `level message`. */
  of(client: string): string[] {
    const context = `[Milvus:${client}] `;
    return this.lines.filter(line => line.includes(context)).map(line => line.replace(context, ''));
  }

  private add(level: string, message: unknown, rest: unknown[]): void {
    this.lines.push(`${level} [${rest.at(-1) ?? ''}] ${message}`);
  }
}

const apps: TestingModule[] = [];

/** An application whose providers exist and whose lifecycle has not begun. */
export async function compileApp(
  metadata: ModuleMetadata,
  {
    log = new RecordedLog(),
    prepare = (builder: TestingModuleBuilder) => builder,
  }: { log?: LoggerService; prepare?: (builder: TestingModuleBuilder) => TestingModuleBuilder } = {},
): Promise<TestingModule> {
  return prepare(Test.createTestingModule(metadata).setLogger(log)).compile();
}

/** A running application; `closeApps()` ends it. */
export async function bootApp(...args: Parameters<typeof compileApp>): Promise<TestingModule> {
  const app = await compileApp(...args);
  await app.init();
  apps.push(app);
  return app;
}

export async function closeApps(): Promise<void> {
  await Promise.all(apps.splice(0).map(app => app.close()));
}
