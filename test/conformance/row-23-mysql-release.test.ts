import { runInTransaction } from 'holdfast';
import type { Pool, PoolConnection } from 'mysql2/promise';
import type { ManagedPool } from 'holdfast';
import { LeaseLog } from '../connection/lease-log.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { failureOf, until } from './observing.js';
import { startMysqlPool } from './mysql-pools.js';
import { mysqlLabelsIn } from './mysql-ways-in.js';
import { useWitness } from './witness.js';

const db = useMysqlDatabase();
const witness = useWitness();
let pool: Pool;
let managed: ManagedPool;
beforeEach(async () => {
  await db.truncate();
  ({ pool, managed } = startMysqlPool(db, { max: 1 }));
});

const idOf = async (connection: PoolConnection): Promise<number> => {
  const [rows] = await connection.query('SELECT connection_id() AS id');
  return (rows as { id: number }[])[0]!.id;
};

test('a second release is refused, and the next holder is untouched', async () => {
  const first = await pool.getConnection();
  first.release();
  const second = await pool.getConnection();

  expect(() => first.release()).toThrow(expect.objectContaining({ code: 'LEASE_RELEASED' }));

  const third = pool.getConnection();
  await until('the third to wait', () => managed.counts().pending === 1);
  expect(await idOf(second)).toBe(second.threadId);
  second.release();
  (await third).release();
});

test('a connection that is used after its release is refused when another one has it', async () => {
  const first = await pool.getConnection();
  first.release();
  const second = await pool.getConnection();
  await second.beginTransaction();

  expect(await failureOf(first.query("INSERT INTO entry (label) VALUES ('stray')"))).toMatchObject({
    code: 'STALE_LEASE',
  });
  expect(await failureOf(first.execute("INSERT INTO entry (label) VALUES ('stray')"))).toMatchObject({
    code: 'STALE_LEASE',
  });
  expect(await failureOf(first.commit())).toMatchObject({ code: 'STALE_LEASE' });
  expect(() => first.destroy()).toThrow(expect.objectContaining({ code: 'STALE_LEASE' }));

  await second.commit();
  second.release();
  expect(await mysqlLabelsIn(db)).toEqual([]);
});

test('inside a transaction: a second release is refused, the transaction goes on', async () => {
  await runInTransaction(async () => {
    const connection = await pool.getConnection();
    await connection.query("INSERT INTO entry (label) VALUES ('kept')");
    connection.release();
    expect(() => connection.release()).toThrow(expect.objectContaining({ code: 'LEASE_RELEASED' }));
    await pool.query("INSERT INTO entry (label) VALUES ('kept as well')");
  });
  expect(await mysqlLabelsIn(db)).toEqual(['kept', 'kept as well']);
});

test.each([
  ['inside a transaction', ['START TRANSACTION', "INSERT INTO entry (label) VALUES ('left open')"]],
  ['with autocommit off', ['SET autocommit = 0']],
])('a connection that is released %s is closed, and what it did is gone', async (how, statements) => {
  const connection = await pool.getConnection();
  const id = await idOf(connection);
  for (const statement of statements) await connection.query(statement);
  connection.release();
  await until('the session to be gone', async () => (await db.sessions()).every((each) => each.id !== id));

  expect(witness.messages).toEqual([expect.stringContaining(`released ${how};`)]);
  await runInTransaction(() => pool.query("INSERT INTO entry (label) VALUES ('next')"));
  expect(await mysqlLabelsIn(db)).toEqual(['next']);
});

test('a transaction that pool.query() began and nobody ended is not committed by the next one', async () => {
  await pool.query('START TRANSACTION');
  await pool.query("INSERT INTO entry (label) VALUES ('in autocommit, on another connection')");
  await runInTransaction(() => pool.query("INSERT INTO entry (label) VALUES ('next')"));
  expect(await mysqlLabelsIn(db)).toEqual(['in autocommit, on another connection', 'next']);
});

test('every loan is told to observers, under contention as well', async () => {
  const log = new LeaseLog(managed);
  await Promise.all(
    ['a', 'b', 'c'].map(async (label) => {
      const connection = await pool.getConnection();
      await connection.query('INSERT INTO entry (label) VALUES (?)', [label]);
      connection.release();
    }),
  );
  await pool.query('SELECT 1');
  await runInTransaction(() => pool.query('SELECT 1'));
  expect(log.lines).toEqual([
    'wait client',
    'wait client',
    ...Array.from({ length: 3 }, () => ['acquired client', 'returned client']).flat(),
    'acquired query',
    'returned query',
    'acquired transaction',
    'returned transaction',
  ]);
});

test('a holder may destroy its connection: the pool opens another', async () => {
  const log = new LeaseLog(managed);
  const connection = await pool.getConnection();
  connection.destroy();
  await pool.query("INSERT INTO entry (label) VALUES ('next')");
  expect(log.lines).toEqual(['acquired client', 'destroyed client', 'acquired query', 'returned query']);
  expect(managed.counts()).toEqual({ max: 1, total: 1, idle: 1, inUse: 0, pending: 0 });
});

test('a request that waits while the last connection breaks gets the next one, as a lease of its own', async () => {
  const log = new LeaseLog(managed);
  const first = await pool.getConnection();
  first.on('error', () => undefined);
  const second = pool.getConnection();
  await until('the second to wait', () => managed.counts().pending === 1);
  first.destroy();
  const connection = await second;
  expect(await idOf(connection)).not.toBe(first.threadId);
  connection.release();
  expect(log.lines).toEqual([
    'acquired client',
    'wait client',
    'destroyed client',
    'acquired client',
    'returned client',
  ]);
  expect(managed.leases()).toEqual([]);
});
