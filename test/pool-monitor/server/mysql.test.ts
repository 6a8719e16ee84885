import { setTimeout as sleep } from 'node:timers/promises';
import { createPool as createMariadbPool } from 'mariadb';
import { createPool, type Pool, type PoolConnection } from 'mysql2/promise';
import { type ManagedPool, managePool, unmanagePool } from 'holdfast';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { reportsOf, siteBelow, watchServer, type Watching } from './watching.js';

const db = useMysqlDatabase();
beforeEach(async () => {
  await db.truncate();
  await db.query("INSERT INTO entry (label) VALUES ('a')");
});

interface Started extends Watching {
  readonly pool: Pool;
  readonly managed: ManagedPool;
}

async function start(uri = db.url): Promise<Started> {
  const pool = createPool({ uri, connectionLimit: 5 });
  const managed = managePool(pool);
  const stop = managed.observe({ recordsCallSite: () => true, ignoresQueries: true });
  db.defer(() => pool.end());
  const watching = await watchServer(managed, (closer) => db.defer(closer));
  db.defer(() => {
    stop();
    unmanagePool(managed);
  });
  return { pool, managed, ...watching };
}

/** Holds a row's lock. */
async function placeOrder(pool: Pool): Promise<PoolConnection> {
  const connection = await pool.getConnection();
  await connection.query('BEGIN');
  await connection.query("UPDATE entry SET label = 'paid by 4111-1111' WHERE id = 1");
  return connection;
}

/** Waits for it. */
async function payOrder(pool: Pool): Promise<{ connection: PoolConnection; update: Promise<unknown> }> {
  const connection = await pool.getConnection();
  return { connection, update: connection.query("UPDATE entry SET label = 'secret' WHERE id = 1") };
}

/**
 * The server's copy of its transactions is renewed when nobody has read it for a tenth of a second: whoever looks more often
 * sees the old one for ever. What never comes is met by the test's time limit.
 */
async function seen<T>(look: () => Promise<T>, isThere: (report: T) => boolean): Promise<T> {
  for (;;) {
    const report = await look();
    if (isThere(report)) return report;
    await sleep(150);
  }
}

test('the server’s share, and an idle transaction by its source line', async () => {
  const { pool, managed, watch, connection } = await start();
  const holder = await placeOrder(pool);
  const report = await seen(
    () => watch.read(reportsOf(managed)),
    ({ idleInTransaction }) => idleInTransaction.some(({ transactionMs }) => transactionMs !== undefined),
  );
  const [server] = await db.query<{ most: number; version: string }>(
    'SELECT @@max_connections AS most, version() AS version',
  );
  expect(report).toEqual({
    pool: 'default',
    at: expect.any(Number),
    product: `MariaDB ${server!.version.split('-')[0]}`,
    connections: expect.any(Number),
    maxConnections: server!.most,
    own: 1,
    idleInTransaction: expect.any(Array),
    blocking: expect.any(Array),
    joinsLeases: true,
    notes: [],
  });
  expect(report.connections).toBeGreaterThanOrEqual((await db.sessions()).length);
  expect(report.idleInTransaction).toContainEqual({
    backendId: managed.leases()[0]!.backendId,
    application: expect.stringMatching(/^holdfast@127\.0\.0\.1/),
    state: 'idle in transaction',
    stateMs: expect.any(Number),
    transactionMs: expect.any(Number),
    statement: 'UPDATE entry SET label = ? WHERE id = ?',
    leaseId: managed.leases()[0]!.id,
    site: siteBelow(__filename, 'async function placeOrder'),
  });
  expect(connection.session!.side.isOfPool).toBe(false);
  await holder.query('ROLLBACK');
  holder.release();
});

test('a chain of waits names the source lines at both ends, and no literal', async () => {
  const { pool, managed, watch } = await start();
  const holder = await placeOrder(pool);
  const { connection, update } = await payOrder(pool);
  const waiter = managed.leases()[1]!;
  const { blocking } = await seen(
    () => watch.read(reportsOf(managed)),
    (report) => report.blocking.some(({ blocked }) => blocked.leaseId === waiter.id),
  );
  const [ours] = blocking.filter(({ blocked }) => blocked.leaseId === waiter.id);
  expect(ours).toMatchObject({
    blocked: {
      site: siteBelow(__filename, 'async function payOrder'),
      statement: 'UPDATE entry SET label = ? WHERE id = ?',
      state: expect.stringMatching(/^Query/),
    },
    blocker: {
      site: siteBelow(__filename, 'async function placeOrder'),
      statement: 'UPDATE entry SET label = ? WHERE id = ?',
      state: 'idle in transaction',
      leaseId: managed.leases()[0]!.id,
    },
    lock: expect.stringMatching(/^a row of .*\.entry$/),
    waitMs: expect.any(Number),
  });
  await holder.query('ROLLBACK');
  await update;
  holder.release();
  connection.release();
});

test('one look is one question, and one more while somebody waits', async () => {
  const proxy = await db.proxy();
  const { pool, managed, watch } = await start(proxy.url(db.url));
  proxy.forget();
  await watch.read([]);
  const ofMonitor = (): string[] => proxy.texts.filter((text) => text.includes('information_schema'));
  expect(ofMonitor().length).toBeLessThanOrEqual(2);
  const holder = await placeOrder(pool);
  const { connection, update } = await payOrder(pool);
  await seen(
    () => watch.read(reportsOf(managed)),
    ({ blocking }) => blocking.some(({ blocked }) => blocked.leaseId === managed.leases()[1]!.id),
  );
  proxy.forget();
  await watch.read([]);
  expect(ofMonitor()).toHaveLength(2);
  await holder.query('ROLLBACK');
  await update;
  holder.release();
  connection.release();
});

test('DDL that waits for a metadata lock is told of', async () => {
  const { pool, watch } = await start();
  const holder = await placeOrder(pool);
  const other = await db.connection();
  const ddl = other.query('ALTER TABLE entry ADD COLUMN more INT');
  const { notes } = await seen(
    () => watch.read([]),
    (report) => report.notes.length > 0,
  );
  expect(notes).toEqual([
    expect.stringMatching(/^\d+ sessions? waits? for a metadata lock: a DDL statement/),
  ]);
  await holder.query('ROLLBACK');
  holder.release();
  await ddl;
  await db.query('ALTER TABLE entry DROP COLUMN more');
});

describe('an account without PROCESS', () => {
  const account = `'hf limited ${process.pid}'@'127.0.0.1'`;
  beforeAll(async () => {
    await db.query(`CREATE USER ${account} IDENTIFIED BY 'x'`);
    await db.query(
      `GRANT SELECT, INSERT, UPDATE ON \`${new URL(db.url).pathname.slice(1)}\`.* TO ${account}`,
    );
  });
  afterAll(() => db.query(`DROP USER ${account}`));

  test('is told the grant that is missing, and sees what it may', async () => {
    const url = new URL(db.url);
    url.username = encodeURIComponent(`hf limited ${process.pid}`);
    url.password = 'x';
    const { pool, managed, watch } = await start(url.href);
    const holder = await placeOrder(pool);
    const report = await watch.read(reportsOf(managed));
    expect(report.notes).toEqual([
      `Only the sessions of this account are shown, and neither open transactions nor locks. GRANT PROCESS ON *.* TO ${account}; shows them.`,
    ]);
    expect(report.connections).toBeGreaterThan(2);
    expect(report.maxConnections).toBeGreaterThan(100);
    expect(report.idleInTransaction).toMatchObject([
      { leaseId: managed.leases()[0]!.id, site: siteBelow(__filename, 'async function placeOrder') },
    ]);
    await holder.query('ROLLBACK');
    holder.release();
  });

  test('has it from the next connection on', async () => {
    const [grant] = ['GRANT PROCESS ON *.* TO'];
    await db.query(`${grant} ${account}`);
    const url = new URL(db.url);
    url.username = encodeURIComponent(`hf limited ${process.pid}`);
    url.password = 'x';
    const { watch } = await start(url.href);
    expect((await watch.read([])).notes).toEqual([]);
  });
});

test('through the mariadb connector, over a connection of its pool', async () => {
  const { hostname: host, port, username: user, password, pathname } = new URL(db.url);
  const pool = createMariadbPool({
    host,
    port: Number(port),
    user,
    password,
    database: pathname.slice(1),
    connectionLimit: 3,
  });
  const managed = managePool(pool, { connectionLimit: 3 });
  db.defer(() => pool.end());
  const { watch, connection } = await watchServer(managed, (closer) => db.defer(closer));
  db.defer(() => unmanagePool(managed));
  expect(await watch.read(reportsOf(managed))).toMatchObject({ joinsLeases: true, notes: [] });
  expect(managed.counts().inUse).toBe(1);
  expect(connection.session!.side.isOfPool).toBe(true);
});
