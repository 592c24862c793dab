// jest sets 'test', at which the SDK logs every request.
process.env.NODE_ENV = 'development';

// ESM on Node 20: the SDK reaches `uuid` (ESM-only) through require, so that one package is compiled to CommonJS.
const shared = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^nestjs-milvus$': '<rootDir>/lib/index.ts',
    '^nestjs-milvus/testing$': '<rootDir>/lib/testing/index.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/sample-app/dist/'],
  setupFiles: [
    'reflect-metadata',
    '<rootDir>/test/support/quiet-nest.ts',
    '<rootDir>/test/support/sdk-definitions.ts',
  ],
  setupFilesAfterEnv: ['<rootDir>/test/support/secret-witness.ts', '<rootDir>/test/support/test-limits.ts'],
  transformIgnorePatterns: ['/node_modules/(?!(?:.+/)?uuid/)'],
  transform: {
    '\\.ts$': [
      '<rootDir>/test/support/secret-witness-transform.mjs',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
    '/node_modules/uuid/.+\\.js$': ['@swc/jest', { module: { type: 'commonjs' } }],
  },
};

const project = (displayName, files) => ({ ...shared, displayName, ...files });

/** With real servers. */
const serverProject = (displayName, files) => ({
  ...project(displayName, files),
  setupFilesAfterEnv: [...shared.setupFilesAfterEnv, '<rootDir>/test/support/no-sockets-left.ts'],
});

// Long by nature: scripts of their own (`npm run soak:…`), short in CI (`npm run soak:short`), so that `npm test` stays under six minutes.
const soaks = [
  '<rootDir>/test/integration/ledger/',
  '<rootDir>/test/integration/outage/',
  '<rootDir>/test/integration/client/same-answers.spec.ts',
  '<rootDir>/test/integration/retry/rate-limit.spec.ts',
  '<rootDir>/test/integration/tenants/milvus-standalone.spec.ts',
  '<rootDir>/test/integration/testing/milvus-standalone.spec.ts',
  '<rootDir>/test/fault/outage/away.spec.ts',
  '<rootDir>/test/fault/outage/flapping.spec.ts',
];
const soak = serverProject('soak', {
  testMatch: soaks.map(path => (path.endsWith('/') ? `${path}*.spec.ts` : path)),
});

// What must hold for every SDK of the peer range runs on its newest line above, and here on its oldest.
const sdk26 = project('sdk-2.6', { testMatch: ['<rootDir>/test/**/*.both-sdks.spec.ts'] });
sdk26.moduleNameMapper = { ...shared.moduleNameMapper, '^@zilliz/milvus2-sdk-node$': 'milvus2-sdk-node-2.6' };

export default {
  coverageProvider: 'v8',
  collectCoverageFrom: ['lib/**/*.ts'],
  // Real servers share the machine with the tests: more workers than this only make each other wait.
  maxWorkers: 2,
  // What a test file loaded is never freed with ESM; a worker that keeps it all grows slow.
  workerIdleMemoryLimit: '1GB',
  projects: [
    project('unit', {
      testMatch: ['<rootDir>/test/**/*.spec.ts'],
      testPathIgnorePatterns: ['<rootDir>/test/integration/', '<rootDir>/test/fault/'],
    }),
    project('fault', {
      testMatch: ['<rootDir>/test/fault/**/*.spec.ts'],
      testPathIgnorePatterns: soaks,
    }),
    serverProject('integration', {
      testMatch: ['<rootDir>/test/integration/**/*.spec.ts', '<rootDir>/sample-app/test/**/*.spec.ts'],
      testPathIgnorePatterns: soaks,
    }),
    sdk26,
    ...(process.env.SOAK ? [soak] : []),
  ],
};
