import { setImmediate } from 'node:timers/promises';
import type { PoolConnection } from 'mysql2';
import { LeaseReclaimedError, runInTransaction } from 'holdfast';
import { failureOf, until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import {
  connectMysql2,
  connectPg,
  type Driver,
  drivers,
  startMariadb,
  startMysql2,
  startPg,
} from './driver-pools.js';
import { LeaseLog } from './lease-log.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();
afterEach(async () => {
  await pg.truncate();
  await mysql.truncate();
});

const place = new Error('taken by OrderService.place (src/order.service.ts:42)');
const reason = new LeaseReclaimedError('A leaked connection was taken back.', { cause: place });
const reclaimed = { code: 'LEASE_RECLAIMED', cause: place };

const INSERT = "INSERT INTO entry (label) VALUES ('zombie')";

async function labels(driver: Driver): Promise<unknown[]> {
  const sql = 'SELECT label FROM entry';
  return driver.database === 'pg' ? pg.query(sql) : mysql.query(sql);
}

/** What the server runs for the test, without the harness's own. */
async function running(driver: Driver): Promise<string[]> {
  const sessions =
    driver.database === 'pg'
      ? (await pg.sessions()).filter(({ state }) => state === 'active')
      : await mysql.sessions();
  return sessions.flatMap(({ query }) => (/sleep/i.test(query ?? '') ? [query!] : []));
}

describe.each(drivers)('$name', (driver) => {
  test('an idle client: its connection is closed, the next holder has another, the zombie is refused', async () => {
    const { managed, connect } = driver.start({ pg, mysql }, { max: 1 });
    const log = new LeaseLog(managed);
    const zombie = await connect();
    await zombie.query('START TRANSACTION');
    await zombie.query(INSERT);
    const [lease] = managed.leases();
    const next = connect();

    await managed.reclaim(lease!, reason);
    const client = await next;
    expect(managed.leases()).toHaveLength(1);
    expect(managed.leases()[0]!.backendId).not.toBe(lease!.backendId);

    const error = await failureOf(zombie.query('COMMIT'));
    expect(error).toBe(reason);
    expect(error).toMatchObject(reclaimed);
    // It does in its finally block what it should: an error there would hide its own.
    zombie.release();
    zombie.release();
    await setImmediate();
    await expect(client.query('SELECT 1')).resolves.toBeDefined();
    expect(managed.counts()).toMatchObject({ total: 1, inUse: 1 });
    expect(log.numbered).toEqual([
      'acquired #1',
      'wait',
      'destroyed #1',
      'acquired #2',
      'lateUse #1',
      'lateUse #1',
      'lateUse #1',
    ]);
    expect(log.events[2]!.detail).toBe(reason);
    expect(log.events.slice(4).map(({ detail }) => detail)).toEqual(['query', 'release', 'release']);
    client.release();
    expect(await labels(driver)).toEqual([]);
  });

  test('a client that runs a statement: it is cancelled on the server, its caller is told', async () => {
    const { managed, connect } = driver.start({ pg, mysql }, { max: 1 });
    const client = await connect();
    const failure = failureOf(client.query(driver.sleep));
    await until('the statement to run', async () => (await running(driver)).length > 0);

    await managed.reclaim(managed.leases()[0]!, reason);
    expect(await failure).toBeInstanceOf(Error);
    expect(managed.leases()).toEqual([]);
    await until('the server to have stopped it', async () => (await running(driver)).length === 0);
    await expect(client.query('SELECT 1')).rejects.toMatchObject(reclaimed);
    client.release();
    const next = await connect();
    await next.query('SELECT 1');
    next.release();
  });

  test('a release while the reclaim is on its way does not give the connection back', async () => {
    const { managed, connect } = driver.start({ pg, mysql }, { max: 1 });
    const log = new LeaseLog(managed);
    const client = await connect();
    const failure = failureOf(client.query(driver.sleep));
    await until('the statement to run', async () => (await running(driver)).length > 0);
    const done = managed.reclaim(managed.leases()[0]!, reason);
    await expect(client.query('SELECT 1')).rejects.toMatchObject(reclaimed);
    client.release();
    await Promise.all([done, failure]);
    expect(log.lines.filter((line) => !line.startsWith('lateUse'))).toEqual([
      'acquired client',
      'destroyed client',
    ]);
    expect(managed.counts()).toMatchObject({ inUse: 0, idle: 0 });
  });

  test('one that is asked for twice happens once, and one after the release does nothing', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const log = new LeaseLog(managed);
    const first = await connect();
    const [lease] = managed.leases();
    await Promise.all([managed.reclaim(lease!, reason), managed.reclaim(lease!, reason)]);
    await managed.reclaim(lease!, reason);
    first.release();
    const second = await connect();
    const [other] = managed.leases();
    second.release();
    await managed.reclaim(other!, reason);
    await managed.reclaim({ ...other! }, reason);
    expect(log.numbered).toEqual(['acquired #1', 'destroyed #1', 'lateUse #1', 'acquired #2', 'returned #2']);
  });

  test('a transaction is rolled back, and its caller gets the reason', async () => {
    const { managed, query } = driver.start({ pg, mysql }, { max: 1 });
    const failure = failureOf(
      runInTransaction(async () => {
        await query(INSERT);
        await new Promise(() => undefined);
      }),
    );
    await until('it to have written', () =>
      managed.leases().some((lease) => managed.usage(lease)!.inTransaction && !managed.usage(lease)!.running),
    );
    await managed.reclaim(managed.leases()[0]!, reason);
    expect(managed.leases()).toEqual([]);
    expect(await failure).toBe(reason);
    expect(await labels(driver)).toEqual([]);
    await query('SELECT 1');
  });

  test('a transaction that runs a statement is cancelled', async () => {
    const { managed, query } = driver.start({ pg, mysql }, { max: 1 });
    const failure = failureOf(
      runInTransaction(async () => {
        await query(INSERT);
        await query(driver.sleep);
      }),
    );
    await until('the statement to run', async () => (await running(driver)).length > 0);
    await managed.reclaim(managed.leases()[0]!, reason);
    expect(await failure).toBe(reason);
    await until('the server to have stopped it', async () => (await running(driver)).length === 0);
    expect(await labels(driver)).toEqual([]);
    await query('SELECT 1');
  });
});

test("pg: the callback's done after a reclaim is silent, client.end() is refused", async () => {
  const { pool, managed } = startPg(pg);
  const { client, done } = await connectPg(pool);
  await managed.reclaim(managed.leases()[0]!, reason);
  done();
  done(new Error('broken'));
  await expect((client as unknown as { end(): Promise<void> }).end()).rejects.toMatchObject(reclaimed);
});

test.each<[way: string, giveUp: (connection: PoolConnection) => void]>([
  ['release()', (connection) => connection.release()],
  ['destroy()', (connection) => connection.destroy()],
  ['Symbol.dispose', (connection) => connection[Symbol.dispose]()],
  ['end()', (connection) => connection.end()],
])('mysql2: %s after a reclaim is silent, and told', async (_, giveUp) => {
  const { pool, managed } = startMysql2(mysql);
  const log = new LeaseLog(managed);
  const connection = await connectMysql2(pool);
  await managed.reclaim(managed.leases()[0]!, reason);
  giveUp(connection);
  expect(log.lines).toEqual(['acquired client', 'destroyed client', 'lateUse client']);
});

test('mysql2: a prepared statement of a reclaimed connection is refused', async () => {
  const { promised, managed } = startMysql2(mysql);
  const connection = await promised.getConnection();
  const prepared = await connection.prepare('SELECT ?');
  await managed.reclaim(managed.leases()[0]!, reason);
  await expect(prepared.execute([1])).rejects.toMatchObject(reclaimed);
});

test('mariadb: every way to give a connection up after a reclaim is silent', async () => {
  const { pool, managed } = startMariadb(mysql);
  const connection = await pool.getConnection();
  await managed.reclaim(managed.leases()[0]!, reason);
  await connection.release();
  await connection.end();
  await (connection as unknown as { close(): Promise<void> }).close();
  connection.destroy();
  await expect(connection.beginTransaction()).rejects.toMatchObject(reclaimed);
});
