import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { type ManagedPool, managePool, unmanagePool } from 'holdfast';
import { until } from '../../conformance/observing.js';
import { useDatabase } from '../../harness/database.js';
import { startPgbouncer } from '../../harness/pgbouncer.js';
import { reportsOf, siteBelow, watchServer, type Watching } from './watching.js';

const db = useDatabase();
afterEach(() => db.truncate());

interface Started extends Watching {
  readonly pool: Pool;
  readonly managed: ManagedPool;
}

async function start(options: PoolConfig & { through?: Pool } = {}): Promise<Started> {
  const { through, ...config } = options;
  const pool = db.pool({ max: 5, application_name: 'shop', ...config });
  pool.on('error', () => {});
  const managed = managePool(pool);
  const stop = managed.observe({ recordsCallSite: () => true, ignoresQueries: true });
  const watching = await watchServer(managed, (closer) => db.defer(closer), through);
  db.defer(() => {
    stop();
    unmanagePool(managed);
  });
  return { pool, managed, ...watching };
}

/** Holds a row's lock. */
async function placeOrder(pool: Pool): Promise<PoolClient> {
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query("UPDATE entry SET label = 'paid by 4111-1111' WHERE id = 1");
  return client;
}

/** Waits for it. */
async function payOrder(pool: Pool): Promise<{ client: PoolClient; update: Promise<unknown> }> {
  const client = await pool.connect();
  return { client, update: client.query("UPDATE entry SET label = 'secret' WHERE id = 1") };
}

async function release(...clients: PoolClient[]): Promise<void> {
  for (const client of clients) {
    await client.query('ROLLBACK');
    client.release();
  }
}

test('the server’s share, without a lease', async () => {
  const { watch, connection, pool } = await start();
  await pool.query('SELECT 1');
  const report = await watch.read([]);
  const [server] = await db.query<{ version: string; max: number }>(
    "SELECT current_setting('server_version') AS version, current_setting('max_connections')::int - 3 AS max",
  );
  expect(report).toEqual({
    pool: 'default',
    at: expect.any(Number),
    product: `PostgreSQL ${server!.version.split(' ')[0]}`,
    connections: expect.any(Number),
    maxConnections: server!.max,
    own: 1,
    idleInTransaction: expect.any(Array),
    blocking: expect.any(Array),
    joinsLeases: true,
    notes: [],
  });
  const sessions = await db.sessions();
  expect(report.connections).toBeGreaterThanOrEqual(sessions.length);
  expect(sessions).toContainEqual(
    expect.objectContaining({ pid: connection.session!.backendId, application: 'holdfast-monitor:pod-1' }),
  );
  // The pool knows nothing of it.
  expect(pool.totalCount).toBe(1);
});

test('a chain of waits names the source lines at both ends, and no literal', async () => {
  const { pool, managed, watch } = await start();
  await db.query("INSERT INTO entry (label) VALUES ('a')");
  const holder = await placeOrder(pool);
  const { client, update } = await payOrder(pool);
  await until(
    'the wait',
    async () =>
      (
        await db.query(
          "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'shop'",
        )
      ).length > 0,
  );

  const { blocking, idleInTransaction } = await watch.read(reportsOf(managed));
  const ours = blocking.filter(({ blocked }) => blocked.application === 'shop');
  expect(ours).toMatchObject([
    {
      blocked: {
        site: siteBelow(__filename, 'async function payOrder'),
        state: 'active',
        statement: 'UPDATE entry SET label = ? WHERE id = ?',
        leaseId: managed.leases()[1]!.id,
      },
      blocker: {
        site: siteBelow(__filename, 'async function placeOrder'),
        state: 'idle in transaction',
        statement: 'UPDATE entry SET label = ? WHERE id = ?',
        leaseId: managed.leases()[0]!.id,
      },
      lock: 'a row of entry',
      waitMs: expect.any(Number),
    },
  ]);
  expect(idleInTransaction.filter(({ application }) => application === 'shop')).toEqual([ours[0]!.blocker]);
  expect(ours[0]!.blocker.transactionMs).toBeGreaterThanOrEqual(ours[0]!.waitMs!);
  await release(holder);
  await update;
  client.release();
});

test('heads of chains come first; those of another service have no source line', async () => {
  const { pool, managed, watch } = await start();
  const other = await db.client();
  await db.query("INSERT INTO entry (label) VALUES ('a'), ('b')");
  await other.query('BEGIN');
  await other.query('LOCK TABLE entry');
  const { client: first, update } = await payOrder(pool);
  const second = await pool.connect();
  const drop = second.query('SELECT pg_advisory_lock_shared(1), count(*) FROM entry');
  await until(
    'both to wait',
    async () =>
      (
        await db.query(
          "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'shop'",
        )
      ).length === 2,
  );
  const { blocking } = await watch.read(reportsOf(managed));
  const [head] = blocking.filter(({ blocked }) => blocked.application === 'shop');
  expect(head).toMatchObject({ blocker: { site: undefined, leaseId: undefined }, lock: 'the table entry' });
  expect(head!.blocker.statement).toBe('LOCK TABLE entry');
  await other.query('ROLLBACK');
  await Promise.all([update, drop]);
  await second.query('SELECT pg_advisory_unlock_shared(1)');
  first.release();
  second.release();
});

test('one look is one question, and waits cost no other', async () => {
  const proxy = await db.proxy();
  const { watch } = await start({ connectionString: proxy.url(db.url) });
  proxy.forget();
  await watch.read([]);
  expect(proxy.texts).toHaveLength(1);
  expect(proxy.flights).toBe(1);
});

describe('a user who may not see others', () => {
  const name = `holdfast "limited" ${process.pid}`;
  const quoted = `"${name.replaceAll('"', '""')}"`;
  beforeAll(() => db.query(`CREATE ROLE ${quoted} LOGIN PASSWORD 'x'`));
  afterAll(() => db.query(`DROP ROLE ${quoted}`));

  test('is told the grant that is missing, and sees what it may', async () => {
    const url = new URL(db.url);
    url.username = encodeURIComponent(name);
    url.password = 'x';
    const { pool, managed, watch } = await start({ connectionString: url.href });
    const client = await pool.connect();
    await client.query('BEGIN');
    const report = await watch.read(reportsOf(managed));
    expect(report.notes).toEqual([
      expect.stringMatching(
        /^\d+ sessions? of (?:another user is|other users are) not shown in full: .*GRANT pg_read_all_stats TO /,
      ),
    ]);
    const [grant] = /GRANT .*;/.exec(report.notes[0]!)!;
    expect(grant).toBe(`GRANT pg_read_all_stats TO ${quoted};`);
    expect(report.connections).toBeGreaterThanOrEqual((await db.sessions()).length);
    expect(report.idleInTransaction).toMatchObject([
      { application: 'shop', leaseId: managed.leases()[0]!.id },
    ]);
    await db.query(grant);
    expect((await watch.read([])).notes).toEqual([]);
    await release(client);
  });
});

describe('behind a pooler', () => {
  const through = async (mode: 'transaction' | 'session'): Promise<string> => {
    const pooler = await startPgbouncer(db.url, { mode, size: 3 });
    db.defer(() => pooler.close());
    return pooler.url;
  };
  const pooled = [expect.stringMatching(/^A pooler .* stands between the pool and the server/)];

  test.each(['transaction', 'session'] as const)(
    'in %s mode nothing is joined to leases, and it says why',
    async (mode) => {
      const { pool, managed, watch } = await start({ connectionString: await through(mode) });
      const client = await pool.connect();
      await client.query('BEGIN');
      const report = await watch.read(reportsOf(managed));
      expect(report).toMatchObject({ joinsLeases: false, own: 0, notes: pooled });
      expect(report.maxConnections).toBeGreaterThan(0);
      expect(report.idleInTransaction.every(({ leaseId }) => leaseId === undefined)).toBe(true);
      await release(client);
    },
  );

  test('in transaction mode no setting of the monitor stays on a session that others use', async () => {
    const { watch, pool } = await start({ connectionString: await through('transaction') });
    await watch.read([]);
    for (let asked = 0; asked < 5; asked++) {
      const { rows } = await pool.query('SHOW statement_timeout');
      expect(rows).toEqual([{ statement_timeout: '0' }]);
    }
  });

  test('a connection that goes past it is told by the leases', async () => {
    const direct = new Pool({ connectionString: db.url });
    const { pool, managed, watch } = await start({
      connectionString: await through('session'),
      through: direct,
    });
    const client = await pool.connect();
    await client.query('SELECT 1');
    expect(await watch.read([])).toMatchObject({ joinsLeases: true, notes: [] });
    expect(await watch.read(reportsOf(managed))).toMatchObject({ joinsLeases: false, notes: pooled });
    client.release();
  });
});
