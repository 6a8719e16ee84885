import { existsSync } from 'node:fs';
import { createConnection } from 'mysql2/promise';
import { until } from '../conformance/observing.js';
import { startMariadb } from './mariadb.js';
import { useMysqlDatabase } from './mysql-database.js';

test('starts a server of its own, and leaves nothing behind', async () => {
  const server = await startMariadb();
  const connection = await createConnection(server.url);
  const [rows] = await connection.query('SELECT @@innodb_flush_log_at_trx_commit AS flush, @@port AS port');
  await connection.end();

  expect(rows).toEqual([{ flush: 0, port: Number(new URL(server.url).port) }]);

  await server.stop();

  expect(existsSync(server.directory)).toBe(false);
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
});

describe('a database of its own', () => {
  const db = useMysqlDatabase();

  test('has the tables of the suite, and tells which sessions are in a transaction', async () => {
    const connection = await db.connection();
    await connection.beginTransaction();
    await connection.query("INSERT INTO entry (label) VALUES ('a')");

    // The server answers first, and takes the statement off its list then.
    await until('the end of the statement', async () => (await db.sessions())[0]?.query === null);
    expect(await db.sessions()).toEqual([{ id: connection.threadId, inTransaction: true, query: null }]);
    expect(await db.query('SELECT label FROM entry')).toEqual([]);

    await connection.commit();

    expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'a' }]);
    await db.truncate();
    expect(await db.query('SELECT label FROM entry')).toEqual([]);
  });

  test.each([
    ['cut-before', []],
    ['cut-after', ['a']],
  ] as const)('a proxy that acts on COMMIT by %s', async (action, labels) => {
    await db.truncate();
    const proxy = await db.proxy();
    const connection = await createConnection(proxy.url(db.url));
    connection.on('error', () => undefined);
    const commit = proxy.once(/^COMMIT$/, { action });
    await connection.beginTransaction();
    await connection.execute('INSERT INTO entry (label) VALUES (?)', ['a']);

    await expect(connection.commit()).rejects.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });

    await commit.fired;
    expect(proxy.texts).toEqual(['START TRANSACTION', 'INSERT INTO entry (label) VALUES (?)', 'COMMIT']);
    expect(await db.query('SELECT label FROM entry')).toEqual(labels.map((label) => ({ label })));
  });

  test('a proxy that answers an error in place of the server', async () => {
    const proxy = await db.proxy();
    const connection = await createConnection(proxy.url(db.url));
    proxy.once(/^SELECT 1$/, { action: 'fail', sqlstate: '40001', errno: 1213, message: 'a deadlock' });

    await expect(connection.query('SELECT 1')).rejects.toMatchObject({ errno: 1213, sqlState: '40001' });
    expect(await connection.query('SELECT 1')).toBeDefined();
    await connection.end();
  });
});
