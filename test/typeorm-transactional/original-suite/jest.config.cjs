const main = require('../../../jest.config.cjs');

/** The tests that the package typeorm-transactional brings, with its source exchanged for holdfast's door. */
module.exports = {
  rootDir: main.rootDir,
  testEnvironment: main.testEnvironment,
  testTimeout: main.testTimeout,
  roots: ['<rootDir>/node_modules/typeorm-transactional/tests'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: [],
  haste: { retainAllFiles: true },
  transformIgnorePatterns: [],
  transform: main.transform,
  // Nest 12 is ESM only.
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: main.moduleFileExtensions,
  moduleNameMapper: {
    '^(\\.\\./)+src$': '<rootDir>/src/typeorm-transactional/index.ts',
    '^typeorm$': '<rootDir>/test/typeorm-transactional/original-suite/typeorm.mjs',
    ...main.moduleNameMapper,
  },
  setupFiles: ['reflect-metadata'],
  setupFilesAfterEnv: ['<rootDir>/test/typeorm-transactional/original-suite/setup.mjs'],
};
