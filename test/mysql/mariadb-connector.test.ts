import type { Pool } from 'mariadb';
import { createPool as createCallbackPool } from 'mariadb/callback';
import { type ManagedPool, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { failureOf, until } from '../conformance/observing.js';
import { startMariadbPool } from '../conformance/mysql-pools.js';
import { mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { useWitness } from '../conformance/witness.js';
import { LeaseLog } from '../connection/lease-log.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();
const witness = useWitness();
const boom = new Error('boom');
const insert = 'INSERT INTO entry (label) VALUES (?)';
const select = 'SELECT label FROM entry ORDER BY id';
let pool: Pool;
let managed: ManagedPool;
beforeEach(async () => {
  await db.truncate();
  ({ pool, managed } = startMariadbPool(db, { max: 1 }));
});

test('every call style is part of the transaction, and undone with it', async () => {
  const called = runInTransaction(async () => {
    await pool.query({ sql: insert }, ['a']);
    await pool.execute(insert, ['b']);
    await pool.batch(insert, [['c'], ['d']]);
    const connection = await pool.getConnection();
    const prepared = await connection.prepare(insert);
    await prepared.execute(['e']);
    prepared.close();
    const rows: unknown[] = [];
    for await (const row of connection.queryStream(select)) rows.push((row as { label: string }).label);
    await connection.release();
    expect(rows).toEqual(['a', 'b', 'c', 'd', 'e']);
    throw boom;
  });
  expect(await failureOf(called)).toBe(boom);
  expect(await mysqlLabelsIn(db)).toEqual([]);
  expect(witness.escaped).toEqual([]);
});

test.each([
  ['commit', ['before', 'by hand', 'after']],
  ['rollback', ['before', 'after']],
] as const)('a transaction by hand that ends with %s is a savepoint', async (end, labels) => {
  await runInTransaction(async () => {
    const connection = await pool.getConnection();
    await pool.query(insert, ['before']);
    await connection.beginTransaction();
    await connection.query(insert, ['by hand']);
    await connection[end]();
    await pool.query(insert, ['after']);
    await connection.release();
  });
  expect(await mysqlLabelsIn(db)).toEqual(labels);
});

test('a stream that is left before its end lets the connection go', async () => {
  await runInTransaction(async () => {
    await pool.batch(insert, [['a'], ['b'], ['c']]);
    const connection = await pool.getConnection();
    for await (const _ of connection.queryStream(select)) break;
    await connection.query(insert, ['d']);
    await connection.release();
  });
  expect(await mysqlLabelsIn(db)).toEqual(['a', 'b', 'c', 'd']);
});

test('row 23: a second release is refused, and so is a use when another one has the connection', async () => {
  const first = await pool.getConnection();
  await first.release();
  expect(await failureOf(first.release())).toMatchObject({ code: 'LEASE_RELEASED' });
  const second = await pool.getConnection();
  expect(await failureOf(first.query(insert, ['stray']))).toMatchObject({ code: 'STALE_LEASE' });
  await second.release();
  expect(await mysqlLabelsIn(db)).toEqual([]);
});

test('what a holder left open is rolled back at its release', async () => {
  const connection = await pool.getConnection();
  await connection.beginTransaction();
  await connection.query(insert, ['left open']);
  await connection.release();
  await runInTransaction(() => pool.query(insert, ['next']));
  expect(await mysqlLabelsIn(db)).toEqual(['next']);
});

test('every loan is told to observers', async () => {
  const log = new LeaseLog(managed);
  await pool.query('SELECT 1');
  await runInTransaction(() => pool.query('SELECT 1'));
  const connection = await pool.getConnection();
  connection.destroy();
  await until('another connection', async () => (await pool.query('SELECT 1')) !== undefined);
  expect(log.lines.filter((line) => !line.startsWith('wait'))).toEqual([
    'acquired query',
    'returned query',
    'acquired transaction',
    'returned transaction',
    'acquired client',
    'destroyed client',
    'acquired query',
    'returned query',
  ]);
});

test('a connection that is closed on its way to its transaction: the transaction is told, another attempt may do', async () => {
  unmanagePool(managed);
  const { getConnection } = pool;
  pool.getConnection = async () => {
    const connection = await getConnection.call(pool);
    connection.destroy();
    return connection;
  };
  managed = managePool(pool, { connectionLimit: 1 });
  db.defer(() => unmanagePool(managed));
  expect(await failureOf(runInTransaction(() => pool.query('SELECT 1')))).toMatchObject({
    code: 'CONNECTION_LOST',
    retryable: true,
  });
  expect(managed.leases()).toEqual([]);
  expect(witness.escaped).toEqual([]);
});

test('a pool of the callback API is refused, with the line to change', async () => {
  const { hostname: host, port, username: user, password } = new URL(db.url);
  const callbackPool = createCallbackPool({ host, port: Number(port), user, password, minimumIdle: 0 });
  db.defer(() => new Promise<void>((resolve) => callbackPool.end(() => resolve())));
  expect(() => managePool(callbackPool as unknown as Pool)).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_DRIVER' }),
  );
});

test('another connectionLimit than the one that was told is refused', () => {
  expect(() => managePool(pool, { connectionLimit: 9 })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
  expect(managePool(pool, { connectionLimit: 1 })).toBe(managed);
});
