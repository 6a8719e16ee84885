import { useMysqlDatabase } from '../harness/mysql-database.js';
import { NodeProcess } from './spawn-node.js';

// Twenty programs one after the other, on a machine that may have other things to do.
jest.setTimeout(900_000);

const mariadb = useMysqlDatabase([]);

test.each([
  ['a PostgreSQL of its own', () => [], /V4__add_note\.sql:2:8: [^]*exit code 1\n/],
  ['MariaDB by its url', () => ['--url', mariadb.url], /V4__add_note\.sql:2:1: [^]*exit code 3\n/],
])('npm run example:migrations-cli keeps every promise and ends by itself: %s', async (_, args, failure) => {
  const process = new NodeProcess(['examples/migrations-cli/run.mjs', ...args()]);
  try {
    const code = await process.ended;
    // Together, so that a failure shows what was said.
    expect(`${process.output}exit code ${code}`).toMatch(/\n10 acts, every promise kept\.\nexit code 0$/);
    expect(process.output).toMatch(failure);
    expect(process.output).toMatch(/waiting for the lock: held by .*V3__add_price\.sql/i);
    expect(process.leftovers()).toEqual([]);
  } finally {
    await process.remove();
  }
});
