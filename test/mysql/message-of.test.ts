import { messageOf } from '../../src/core/index.js';
import { startMariadbPool, startMysqlPool } from '../conformance/mysql-pools.js';
import { failureOf } from '../conformance/observing.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();

test.each([
  ['mysql2', () => startMysqlPool(db).pool],
  ['the mariadb connector', () => startMariadbPool(db).pool],
])('%s: what our messages quote of an error holds no value of a parameter', async (_, start) => {
  const pool: { query(sql: string, values?: unknown[]): Promise<unknown> } = start();

  const failure = await failureOf(pool.query('INSERT INTO nowhere (label) VALUES (?)', ['a secret']));

  expect(messageOf(failure)).toMatch(/^Table '.*\.nowhere' doesn't exist$/);
});
