const { setupFilesAfterEnv, testPathIgnorePatterns, ...main } = require('./jest.config.cjs');

/** Installs and compiles whole applications: minutes where the other suites take seconds. */
module.exports = {
  ...main,
  testMatch: ['<rootDir>/test/consumers/*.test.ts'],
  testTimeout: 600_000,
};
