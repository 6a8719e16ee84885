const main = require('./jest.config.cjs');

/**
 * What `npm test` holds the splitters against was written down from mariadb and psql: here the clients of this machine are held
 * against it.
 */
module.exports = {
  ...main,
  testMatch: ['<rootDir>/test/**/*.clients.ts'],
  // Each file may have its client to install, and of apt there runs one at a time.
  maxWorkers: 1,
};
