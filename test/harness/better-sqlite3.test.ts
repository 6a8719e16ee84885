import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needBetterSqlite3 } from './better-sqlite3.js';

const resultVariable = 'HOLDFAST_TEST_SQLITE_RESULT';
const before = process.env[resultVariable];
const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
const file = join(folder, 'result');
beforeEach(() => void (process.env[resultVariable] = file));
afterEach(() => rmSync(file, { force: true }));
afterAll(() => {
  if (before) process.env[resultVariable] = before;
  rmSync(folder, { recursive: true });
});

test('a test that needs better-sqlite3 fails, with what to do, where it could not be built', async () => {
  writeFileSync(file, 'No better-sqlite3 to test with: install a compiler');
  await expect(needBetterSqlite3()).rejects.toThrow('No better-sqlite3 to test with: install a compiler');
});

test('it waits until it is built', async () => {
  let isReady = false;
  const ready = needBetterSqlite3().then(() => (isReady = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isReady).toBe(false);
  writeFileSync(file, '');
  await ready;
});
