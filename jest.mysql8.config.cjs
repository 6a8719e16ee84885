const main = require('./jest.config.cjs');

const url = process.env.HOLDFAST_TEST_MYSQL8_URL;
if (!url) {
  throw new Error(
    'HOLDFAST_TEST_MYSQL8_URL is not set. Set it to a MySQL 8 or 9 on which you may create databases, for example mysql://root:secret@127.0.0.1:3306.',
  );
}
process.env.HOLDFAST_TEST_MYSQL_URL = url;

/** What is tested on MariaDB, with MySQL in its place. */
module.exports = {
  ...main,
  testMatch: [
    '<rootDir>/test/conformance/*mysql*.test.ts',
    '<rootDir>/test/conformance/row-20-*.test.ts',
    '<rootDir>/test/mysql/**/*.test.ts',
    '<rootDir>/test/prisma/mysql/**/*.test.ts',
    '<rootDir>/test/testing/mysql-*.test.ts',
    '<rootDir>/test/testing/every-way-*.test.ts',
    // Of the migrations' those whose SQL both servers know.
    '<rootDir>/test/migrations/database/session.test.ts',
    '<rootDir>/test/migrations/locks/{galera,lease,lock}*.test.ts',
    '<rootDir>/test/migrations/runner/crash-{mysql2,mariadb}.test.ts',
    '<rootDir>/test/migrations/runner/{adopt,callbacks,deployers,dry-run-mysql,history-commands,large-file}.test.ts',
    '<rootDir>/test/migrations/runner/{lease-fence,lost-with-session,running,sent-behind,sent-together,session-fence,storable-names}.test.ts',
  ],
  // Its lists hold statements that MariaDB alone knows.
  testPathIgnorePatterns: [...main.testPathIgnorePatterns, '<rootDir>/test/mysql/control.test.ts'],
};
