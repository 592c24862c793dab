/** What the application takes from the environment, or from a file `.env`. */
export interface Environment {
  /** Where HTTP listens; 0 takes a free port. */
  PORT: number;
  MILVUS_ADDRESS: string;
  /** API key, or `user:password`. */
  MILVUS_TOKEN?: string;
  /** How long HTTP stays open after SIGTERM, so that the load balancer sees readiness turn down first. */
  READINESS_GRACE_MS: number;
  /** Folder whose Markdown files are ingested. */
  CORPUS_FOLDER: string;
  /** Most paragraphs to ingest. */
  CORPUS_LIMIT: number;
}

/** For `ConfigModule.forRoot({ validate })`: defaults, numbers, and one error that names every wrong value. */
export function readEnvironment(env: Record<string, unknown>): Environment {
  const faults: string[] = [];
  const text = (name: keyof Environment, fallback: string) => String(env[name] || fallback);
  const integer = (name: keyof Environment, fallback: number) => {
    const value = Number(env[name] || fallback);
    if (!Number.isInteger(value) || value < 0) {
      faults.push(`${name} must be an integer of at least 0, not "${env[name]}"`);
    }
    return value;
  };
  const environment: Environment = {
    PORT: integer('PORT', 3000),
    MILVUS_ADDRESS: text('MILVUS_ADDRESS', 'localhost:19530'),
    ...(env['MILVUS_TOKEN'] ? { MILVUS_TOKEN: String(env['MILVUS_TOKEN']) } : {}),
    READINESS_GRACE_MS: integer('READINESS_GRACE_MS', 1000),
    CORPUS_FOLDER: text('CORPUS_FOLDER', 'node_modules'),
    CORPUS_LIMIT: integer('CORPUS_LIMIT', 2000),
  };
  if (faults.length > 0) throw new Error(`Wrong environment: ${faults.join('; ')}`);
  return environment;
}
