import { useMysqlDatabase } from '../harness/mysql-database.js';
import { NodeProcess } from './spawn-node.js';

jest.setTimeout(240_000);

const mariadb = useMysqlDatabase([]);

test.each([
  ['a PostgreSQL of its own', () => [], /V4__add_note\.sql:2:8: [^]*exit code 1\n/],
  ['MariaDB by its url', () => ['--url', mariadb.url], /V4__add_note\.sql:2:1: [^]*exit code 3\n/],
])('npm run example:migrations-cli keeps every promise and ends by itself: %s', async (_, args, failure) => {
  const process = new NodeProcess(['examples/migrations-cli/run.mjs', ...args()]);
  try {
    expect({ code: await process.ended, output: process.output }).toEqual({
      code: 0,
      output: expect.any(String),
    });
    expect(process.output).toMatch(failure);
    expect(process.output).toMatch(/waiting for the lock: held by .*V3__add_price\.sql/i);
    expect(process.output).toMatch('10 acts, every promise kept.\n');
    expect(process.leftovers()).toEqual([]);
  } finally {
    await process.remove();
  }
});
