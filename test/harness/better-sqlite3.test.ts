import { needBetterSqlite3 } from './better-sqlite3.js';

test('a test that needs better-sqlite3 fails, with what to do, where it could not be built', () => {
  const before = process.env['HOLDFAST_TEST_SQLITE_PROBLEM'];
  try {
    process.env['HOLDFAST_TEST_SQLITE_PROBLEM'] = 'No better-sqlite3 to test with: install a compiler';
    expect(needBetterSqlite3).toThrow('No better-sqlite3 to test with: install a compiler');
    delete process.env['HOLDFAST_TEST_SQLITE_PROBLEM'];
    expect(needBetterSqlite3).not.toThrow();
  } finally {
    if (before) process.env['HOLDFAST_TEST_SQLITE_PROBLEM'] = before;
  }
});
