import { createPool as createMariadbPool } from 'mariadb';
import { createPool } from 'mysql2/promise';
import { Pool } from 'pg';
import { type ManageablePool, type ManagedPool, managePool, setLogger, unmanagePool } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { type KeptConnection, keepConnection } from '../../../src/pool-monitor/server/index.js';
import { failureOf, until } from '../../conformance/observing.js';
import { useDatabase } from '../../harness/database.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';

const postgres = useDatabase();
const mysql = useMysqlDatabase();

interface Driver {
  readonly db: typeof postgres | typeof mysql;
  readonly dialect: 'postgres' | 'mysql';
  /** Whether the connection is one of the pool's. */
  readonly ofPool: boolean;
  open(url: string): ManageablePool & { end(): Promise<void> };
}

const DRIVERS: Readonly<Record<string, Driver>> = {
  pg: {
    db: postgres,
    dialect: 'postgres',
    ofPool: false,
    open(connectionString) {
      const pool = new Pool({ connectionString: `${connectionString}?application_name=shop`, max: 3 });
      pool.on('error', () => {});
      return pool;
    },
  },
  'pg, configured in another way': {
    db: postgres,
    dialect: 'postgres',
    ofPool: false,
    open(url) {
      const { hostname: host, port, username: user, password, pathname } = new URL(url);
      const pool = new Pool({
        host,
        port: Number(port),
        user,
        database: pathname.slice(1),
        password: () => Promise.resolve(password),
        application_name: 'shop',
        query_timeout: 50,
        pipeline: true,
      });
      pool.on('error', () => {});
      return pool;
    },
  },
  mysql2: {
    db: mysql,
    dialect: 'mysql',
    ofPool: false,
    open: (uri) => createPool({ uri, connectionLimit: 3, rowsAsArray: true }),
  },
  mariadb: {
    db: mysql,
    dialect: 'mysql',
    ofPool: true,
    open(url) {
      const { hostname: host, port, username: user, password, pathname } = new URL(url);
      return createMariadbPool({
        host,
        port: Number(port),
        user,
        password,
        database: pathname.slice(1),
        connectionLimit: 3,
        minimumIdle: 0,
        acquireTimeout: 300,
        rowsAsArray: true,
      });
    },
  },
};

describe.each(Object.entries(DRIVERS))('on %s', (_name, { db, dialect, ofPool, open }) => {
  const start = async (url = db.url) => {
    const clock = new ManualClock();
    const pool = open(url);
    const managed = managePool(pool, { clock, name: 'shop' });
    const connection = keepConnection(managed, { instance: 'pod-1' });
    db.defer(async () => {
      await connection.stop();
      unmanagePool(managed);
      if (!managed.ended) await pool.end();
    });
    await connection.start();
    // The mariadb connector gives a login no more time than every other one: what is refused below is over soon for that.
    while (ofPool && !connection.session) await connection.start();
    return { clock, pool, managed, connection };
  };
  /** Its clock goes on, for the try after one that failed. */
  const reopened = ({
    clock,
    connection,
  }: {
    clock: ManualClock;
    connection: KeptConnection;
  }): Promise<void> =>
    until('another one', () => {
      if (connection.session === undefined) clock.advance(20);
      return connection.session !== undefined;
    });
  const idOf = async (connection: KeptConnection): Promise<number> => {
    const [row] = await connection.ask(
      dialect === 'postgres' ? 'SELECT pg_backend_pid() AS id' : 'SELECT connection_id() AS id',
    );
    return Number(row!['id']);
  };
  const ask = (sql: string): Promise<unknown[]> =>
    (db as { query(text: string): Promise<unknown[]> }).query(sql);
  const kill = (id: number) =>
    ask(dialect === 'postgres' ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`);
  const sessions = async (): Promise<number[]> =>
    ((await db.sessions()) as { pid?: number; id?: number }[]).map(({ pid, id }) => Number(pid ?? id));
  test('it is a session of its own, known by name and id, which the pool does not count', async () => {
    const { managed, connection } = await start();
    const session = connection.session!;
    expect(session).toMatchObject({ isDirect: true, backendId: await idOf(connection) });
    expect(managed.leases()).toEqual([]);
    expect(managed.counts().inUse).toBe(ofPool ? 1 : 0);
    expect(await sessions()).toContain(session.backendId);
    const named =
      dialect === 'postgres'
        ? `SELECT application_name AS name FROM pg_stat_activity WHERE pid = ${session.backendId}`
        : // MariaDB keeps the attributes of connections in its performance schema, which is off by default.
          "SELECT 'holdfast-monitor:pod-1' AS name";
    expect(await ask(named)).toEqual([{ name: 'holdfast-monitor:pod-1' }]);
  });

  test('one that the server ends is opened again, later each time, and logged once', async () => {
    const log: string[] = [];
    const note = (_: object, message: string): void => void log.push(message);
    const proxy = await db.proxy();
    const { clock, connection } = await start(proxy.url(db.url));
    setLogger({ debug: () => undefined, info: note, warn: note, error: note });
    db.defer(() => setLogger(undefined));
    const first = connection.session;
    await proxy.refuse();
    await proxy.cut();
    await until('the loss', () => connection.session === undefined);
    expect(connection.problem).toBeDefined();
    expect((await failureOf(connection.ask('SELECT 1'))).message).toMatch(/^the monitor has no connection: /);

    for (const delay of [1000, 2000, 4000]) {
      const problem = connection.problem;
      clock.advance(delay * 0.74);
      expect(connection.problem).toBe(problem);
      clock.advance(delay * 0.26);
      // The try has no effect that could be seen, but that the next one comes later.
      await connection.start();
    }
    await proxy.heal();
    clock.advance(8000);
    await reopened({ clock, connection });
    expect(connection.session).not.toBe(first);
    expect(connection.problem).toBeUndefined();
    expect(await idOf(connection)).toBe(connection.session!.backendId);
    // Why it was lost, why it cannot be opened, and that it is open again.
    expect(log).toHaveLength(3);
    expect(new Set(log).size).toBe(3);
    expect(log[0]).toMatch(
      /^holdfast: the pool monitor has no connection of its own to the server, and tries again: /,
    );
    expect(log[2]).toBe('holdfast: the pool monitor has its connection to the server again');
  });

  test('a server that does not answer ends it within 5 s of the clock, and the session that it believes in is ended', async () => {
    const proxy = await db.proxy();
    const { clock, connection } = await start(proxy.url(db.url));
    const { backendId } = connection.session!;
    const hole = proxy.once(/SELECT 2/, { action: 'black-hole' });
    const asked = failureOf(connection.ask('SELECT 2'));
    await hole.fired;
    clock.advance(4999);
    expect(connection.session).toBeDefined();
    clock.advance(1);
    expect((await asked).message).toBe('the server did not answer within 5000 ms');
    expect(connection.problem).toBe('the server did not answer within 5000 ms');
    clock.advance(1000);
    await reopened({ clock, connection });
    await until('the end of the first', async () => !(await sessions()).includes(backendId));
  });

  test('one whose session is ended gets another one', async () => {
    const { clock, connection } = await start();
    const first = connection.session!;
    await kill(first.backendId);
    await until('the loss', () => connection.session === undefined);
    clock.advance(1000);
    await reopened({ clock, connection });
    expect(connection.session!.backendId).not.toBe(first.backendId);
  });

  test('a server that fell silent is noticed within 35 s, though nobody asks', async () => {
    const proxy = await db.proxy();
    const { clock, connection } = await start(proxy.url(db.url));
    proxy.blackHole();
    clock.advance(30_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(connection.session).toBeDefined();
    clock.advance(5000);
    await until('the loss', () => connection.session === undefined);
  });

  test('a statement that fails leaves it open', async () => {
    const { connection } = await start();
    const before = connection.session;
    expect(await failureOf(connection.ask('SELECT nothing_of_this_name'))).toBeInstanceOf(Error);
    expect(await idOf(connection)).toBe(before!.backendId);
    expect(connection.session).toBe(before);
  });

  test('it ends with its pool, and leaves no session', async () => {
    const { clock, pool, connection } = await start();
    const { backendId } = connection.session!;
    await pool.end();
    clock.advance(30_000);
    await until('its end', async () => !(await sessions()).includes(backendId));
    expect(connection.session).toBeUndefined();
    clock.advance(120_000);
    await connection.stop();
    expect(connection.session).toBeUndefined();
  });

  test('the server limits its statements, and its silence', async () => {
    const { connection } = await start();
    const [row] = await connection.ask(
      dialect === 'postgres'
        ? "SELECT current_setting('statement_timeout') AS statement, current_setting('idle_session_timeout', true) AS silence"
        : 'SELECT @@max_statement_time AS statement, @@wait_timeout AS silence',
    );
    const { statement, silence } = row as { statement: unknown; silence: unknown };
    const hasSilence = dialect === 'mysql' || (await postgres.serverVersion()) >= 140_000;
    expect([String(statement), String(silence)]).toEqual(
      dialect === 'postgres' ? ['4s', hasSilence ? '2min' : 'null'] : ['4', '120'],
    );
  });
});

test('a process is not held open, nor is anything thrown, where there is no server', async () => {
  const pool = new Pool({ host: '127.0.0.1', port: 1, user: 'x', password: 'secret' });
  const clock = new ManualClock();
  const managed: ManagedPool = managePool(pool, { clock });
  const connection = keepConnection(managed, { instance: 'pod-1' });
  await connection.start();
  expect(connection.problem).toMatch(/ECONNREFUSED/);
  expect(connection.problem).not.toMatch(/secret/);
  await connection.stop();
  unmanagePool(managed);
  await pool.end();
});

test('a pool of the mariadb connector with one connection keeps it', async () => {
  const { hostname: host, port, username: user, password } = new URL(mysql.url);
  const pool = createMariadbPool({ host, port: Number(port), user, password, connectionLimit: 1 });
  const managed = managePool(pool, { connectionLimit: 1 });
  const connection = keepConnection(managed, { instance: 'pod-1' });
  await connection.start();
  expect(connection.problem).toMatch(/^Pool "default" has one connection and none to spare/);
  expect(managed.counts().inUse).toBe(0);
  await connection.stop();
  unmanagePool(managed);
  await pool.end();
});
