const swc = (decorators) => [
  '@swc/jest',
  {
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: decorators,
      keepClassNames: true,
    },
  },
];

/** The main suite, in CommonJS. The suites beside it (jest.nestjs, jest.consumers) are variations of this. */
module.exports = {
  rootDir: __dirname,
  // Not with the temporary files, which npm test removes.
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  testEnvironment: '<rootDir>/test/harness/environment.cjs',
  // Tests wait for servers more than they compute: a worker for every core, jest's own process sleeps. Half as many more
  // gain nothing on two cores.
  maxWorkers: '100%',
  // Against what hangs, not a measure: the machines that run this differ by a factor of ten.
  testTimeout: 240_000,
  testSequencer: '<rootDir>/test/harness/slow-first.cjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  globalSetup: '<rootDir>/test/harness/global-setup.ts',
  globalTeardown: '<rootDir>/test/harness/global-teardown.ts',
  setupFilesAfterEnv: ['<rootDir>/test/harness/after-env.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/nestjs/', '<rootDir>/test/consumers/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/test/consumers/nest-'],
  // .js first: the mapping below also meets the relative imports of packages, which are never ours to turn into .ts.
  moduleFileExtensions: ['js', 'mjs', 'cjs', 'ts', 'json', 'node'],
  // better-sqlite3 and Prisma's adapter for it.
  modulePaths: ['<rootDir>/test/sqlite/node_modules'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^holdfast$': '<rootDir>/src/index.ts',
    '^holdfast/(.+)$': '<rootDir>/src/$1/index.ts',
  },
  transform: {
    '\\.tc39\\.test\\.ts$': swc({ decoratorVersion: '2022-03' }),
    '\\.ts$': swc({ legacyDecorator: true, decoratorMetadata: true }),
  },
};
