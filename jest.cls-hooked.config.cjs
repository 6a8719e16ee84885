const main = require('./jest.config.cjs');

/** The promises of a transaction once more, with the context kept by cls-hooked instead of AsyncLocalStorage. */
module.exports = {
  ...main,
  testMatch: ['<rootDir>/test/conformance/**/*.test.ts'],
  setupFilesAfterEnv: [...main.setupFilesAfterEnv, '<rootDir>/test/harness/cls-hooked.ts'],
};
