import { createPool } from 'mysql2/promise';
import { Client, Pool } from 'pg';
import { managePool, unmanagePool } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { keepConnection, ServerWatch } from '../../../src/pool-monitor/server/index.js';
import { failureOf, until } from '../../conformance/observing.js';
import { startMariadb } from '../../harness/mariadb.js';
import { startPostgres } from '../../harness/postgres.js';
import type { RunningServer } from '../../harness/private-server.js';

const FULL =
  'The monitor has no connection to the server: the server is full and lets no further connection in. ' +
  'It was lost, or not opened, while there was room; it is tried again until there is.';

/** Who is in one session after the other until the server lets nobody in. */
async function fill<C>(connect: () => Promise<C>): Promise<C[]> {
  const connected: C[] = [];
  for (;;) {
    try {
      connected.push(await connect());
    } catch {
      return connected;
    }
  }
}

describe('a PostgreSQL that is full', () => {
  let server: RunningServer;
  let url: string;
  let admin: Client;
  beforeAll(async () => {
    server = await startPostgres({
      settings: { max_connections: '12', superuser_reserved_connections: '2', reserved_connections: '1' },
    });
    admin = new Client({ connectionString: server.url });
    await admin.connect();
    await admin.query("CREATE ROLE app LOGIN PASSWORD 'x'");
    const of = new URL(server.url);
    of.username = 'app';
    of.password = 'x';
    url = of.href;
  });
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });

  test('is looked at over the connection that was there before; once that is lost it says so, until there is room', async () => {
    const clock = new ManualClock();
    const pool = new Pool({ connectionString: url });
    const managed = managePool(pool, { clock });
    const connection = keepConnection(managed, { instance: 'pod-1' });
    await connection.start();
    const watch = new ServerWatch({ pool: managed, connection, route: 'beside' });
    const connect = async (): Promise<Client> => {
      const client = new Client({ connectionString: url });
      client.on('error', () => {});
      await client.connect();
      return client;
    };
    const others = await fill(connect);
    expect(await failureOf(pool.query('SELECT 1'))).toMatchObject({ code: '53300' });

    const report = await watch.read([]);
    expect(report).toMatchObject({ connections: 9, maxConnections: 9, own: 0, joinsLeases: true });
    expect(report.notes).toEqual([expect.stringMatching(/^1 session of another user is not shown in full/)]);

    await admin.query(`SELECT pg_terminate_backend(${connection.session!.backendId})`);
    await until('the loss', () => connection.session === undefined);
    await until('its place to be taken', () =>
      connect().then(
        (client) => others.push(client) > 0,
        () => false,
      ),
    );
    clock.advance(1000);
    await until('the try', () => connection.isFull);
    expect(await watch.read([])).toMatchObject({ connections: undefined, maxConnections: 9, notes: [FULL] });

    await Promise.all(others.map((client) => client.end()));
    clock.advance(2000);
    await until('the connection', () => connection.session !== undefined);
    expect(await watch.read([])).toMatchObject({ joinsLeases: true });
    await connection.stop();
    unmanagePool(managed);
    await pool.end();
  });
});

describe('a MariaDB that is full', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startMariadb(['--max-connections=12', '--extra-max-connections=0']);
  });
  afterAll(() => server?.stop());

  test('is looked at over the connection that was there before', async () => {
    const admin = createPool({ uri: server.url, connectionLimit: 1 });
    await admin.query("CREATE USER app@'%' IDENTIFIED BY 'x'");
    const url = new URL(server.url);
    url.username = 'app';
    url.password = 'x';
    const pool = createPool({ uri: url.href, connectionLimit: 30 });
    const clock = new ManualClock();
    const managed = managePool(pool, { clock });
    const connection = keepConnection(managed, { instance: 'pod-1' });
    await connection.start();
    const watch = new ServerWatch({ pool: managed, connection, route: 'beside' });
    const others = await fill(() => pool.getConnection());
    // Who may do everything has one more.
    expect(await watch.read([])).toMatchObject({ connections: 12, maxConnections: 12, own: 10 });

    await admin.query(`KILL ${connection.session!.backendId}`);
    await until('the loss', () => connection.session === undefined);
    await until('its place to be taken', () =>
      pool.getConnection().then(
        (one) => others.push(one) > 0,
        () => false,
      ),
    );
    clock.advance(1000);
    await until('the try', () => connection.isFull);
    expect((await watch.read([])).notes).toEqual([FULL]);
    for (const one of others) one.destroy();
    await until('room', async () => {
      const [rows] = await admin.query("SHOW GLOBAL STATUS LIKE 'Threads_connected'");
      return Number((rows as { Value: string }[])[0]!.Value) < 5;
    });
    clock.advance(2000);
    await until('the connection', () => connection.session !== undefined);
    await connection.stop();
    unmanagePool(managed);
    await pool.end();
    await admin.end();
  });
});
