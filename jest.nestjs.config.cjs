const { testPathIgnorePatterns, ...main } = require('./jest.config.cjs');

/** Nest 12 is ESM only, which jest's CommonJS runtime cannot load: this suite runs as native ES modules. */
module.exports = {
  ...main,
  testMatch: ['<rootDir>/test/nestjs/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
};
