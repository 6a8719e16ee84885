import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { once } from 'node:events';
import type { Pool, PoolClient } from 'pg';
import { useDatabase } from '../harness/database.js';
import { called, nextEvent, pidOf, poolMaker, poolRows } from './pool-rows.js';

const db = useDatabase();
const timeout = 'timeout exceeded when trying to connect';

describe.each(poolRows)('limits of a $row pool', (row) => {
  const make = poolMaker(db, row);

  /** A port that accepts connections and then does what `onConnection` says. */
  async function port(onConnection: (socket: Socket) => void): Promise<number> {
    const server: Server = createServer(onConnection);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    db.defer(() => new Promise((resolve) => server.close(resolve)));
    return (server.address() as AddressInfo).port;
  }

  describe('connectionTimeoutMillis', () => {
    /** The timeout, which holds for opening a connection too, begins when the only connection is lent. */
    async function full(): Promise<{ pool: Pool; holder: PoolClient }> {
      const pool = make({ max: 1 });
      const holder = await pool.connect();
      Object.assign(pool.options, { connectionTimeoutMillis: 20 });
      return { pool, holder };
    }

    test.each([
      ['a promise', (pool: Pool) => pool.connect()],
      ['query()', (pool: Pool) => pool.query('SELECT 1')],
    ])('%s: a server that does not answer', async (_style, ask) => {
      const silent = await port((socket) => socket.resume());
      const pool = make({
        connectionString: `postgres://x:y@127.0.0.1:${silent}/z`,
        connectionTimeoutMillis: 20,
      });
      for (let attempt = 0; attempt < 3; attempt++) {
        await expect(ask(pool)).rejects.toThrow('Connection terminated due to connection timeout');
      }
      expect([pool.totalCount, pool.idleCount]).toEqual([0, 0]);
    });

    test('a callback gets the error, no client, and a release that does nothing', async () => {
      const silent = await port((socket) => socket.resume());
      const pool = make({
        connectionString: `postgres://x:y@127.0.0.1:${silent}/z`,
        connectionTimeoutMillis: 20,
      });
      const [error, client, done] = await called<[Error, undefined, () => void]>((callback) =>
        pool.connect(callback as Parameters<Pool['connect']>[0]),
      );
      expect(error.message).toContain('timeout');
      expect(client).toBeUndefined();
      expect(done()).toBeUndefined();
    });

    test('a full pool: connect() and query() in both styles', async () => {
      const { pool, holder } = await full();
      const [[connectError], [queryError]] = await Promise.all([
        called<[Error]>((callback) => pool.connect(callback as Parameters<Pool['connect']>[0])),
        called<[Error]>((callback) => pool.query('SELECT 1', callback as () => void)),
        expect(pool.connect()).rejects.toThrow(timeout),
        expect(pool.query('SELECT 1')).rejects.toThrow(timeout),
      ]);
      expect([connectError.message, queryError.message]).toEqual([timeout, timeout]);
      expect(pool.waitingCount).toBe(0);

      holder.release();
      await expect(pool.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
    });

    test('a request that timed out does not take the turn of the next one', async () => {
      const { pool, holder } = await full();
      const [error] = await called<[Error]>((callback) =>
        pool.connect(callback as Parameters<Pool['connect']>[0]),
      );
      expect(error.message).toBe(timeout);
      const second = pool.connect();
      holder.release();
      const client = await second;
      expect(pidOf(client)).toBe(pidOf(holder));
      client.release();
    });
  });

  test('requests behind a failed connection get their turn', async () => {
    const closing = await port((socket) => socket.destroy());
    const pool = make({ connectionString: `postgres://x:y@127.0.0.1:${closing}/z`, max: 1 });
    const outcomes = await Promise.allSettled([pool.connect(), pool.connect(), pool.query('SELECT 1')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect([pool.totalCount, pool.waitingCount]).toEqual([0, 0]);
  });

  describe('idleTimeoutMillis', () => {
    test('removes an idle connection; the next request opens another', async () => {
      const pool = make({ idleTimeoutMillis: 10 });
      for (let round = 0; round < 3; round++) {
        const removed = nextEvent<[PoolClient]>(pool, 'remove');
        const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        expect(pidOf((await removed)[0])).toBe(rows[0]!.pid);
        expect([pool.totalCount, pool.idleCount]).toEqual([0, 0]);
      }
    });

    test('leaves a lent connection alone', async () => {
      const pool = make({ max: 2, idleTimeoutMillis: 10 });
      const [held, given] = await Promise.all([pool.connect(), pool.connect()]);
      const removed = nextEvent<[PoolClient]>(pool, 'remove');
      given.release();
      expect(pidOf((await removed)[0])).toBe(pidOf(given));
      expect(pool.totalCount).toBe(1);
      await expect(held.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
      held.release();
    });

    test('keeps `min` connections', async () => {
      const pool = make({ max: 2, min: 1, idleTimeoutMillis: 10 });
      const clients = await Promise.all([pool.connect(), pool.connect()]);
      const removed = nextEvent(pool, 'remove');
      for (const client of clients) client.release();
      await removed;
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
    });
  });

  describe('allowExitOnIdle', () => {
    const holdsTheProcess = (client: PoolClient): boolean =>
      (
        client as unknown as { connection: { stream: { _handle: { hasRef(): boolean } } } }
      ).connection.stream._handle.hasRef();

    test.each([
      { allowExitOnIdle: true, held: [true, false, true, false] },
      { allowExitOnIdle: false, held: [true, true, true, true] },
    ])(
      '$allowExitOnIdle: whether a connection holds the process, lent and idle',
      async ({ allowExitOnIdle, held }) => {
        const pool = make({ max: 1, allowExitOnIdle });
        const seen: boolean[] = [];
        for (let round = 0; round < 2; round++) {
          const client = await pool.connect();
          seen.push(holdsTheProcess(client));
          client.release();
          seen.push(holdsTheProcess(client));
        }
        expect(seen).toEqual(held);
      },
    );
  });

  describe('maxUses', () => {
    test('closes a connection at the release that reaches it', async () => {
      const pool = make({ max: 1, maxUses: 2 });
      const first = await pool.connect();
      first.release();
      expect(pool.idleCount).toBe(1);
      const second = await pool.connect();
      expect(pidOf(second)).toBe(pidOf(first));
      second.release();
      expect([pool.totalCount, pool.idleCount]).toEqual([0, 0]);
      const third = await pool.connect();
      expect(pidOf(third)).not.toBe(pidOf(first));
      third.release();
    });

    test('a waiting request gets a new connection when the released one is used up', async () => {
      const pool = make({ max: 1, maxUses: 2 });
      const first = await pool.connect();
      const used = pool.connect().then((client) => {
        const waiting = pool.waitingCount;
        client.release();
        return [waiting, pidOf(client)];
      });
      const fresh = pool.connect().then((client) => {
        client.release();
        return pidOf(client);
      });
      expect(pool.waitingCount).toBe(2);
      first.release();
      expect(await used).toEqual([1, pidOf(first)]);
      expect(await fresh).not.toBe(pidOf(first));
    });

    test('counts query() as a use', async () => {
      const pool = make({ max: 1, maxUses: 2 });
      const pids: number[] = [];
      for (let round = 0; round < 4; round++) {
        const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        pids.push(rows[0]!.pid);
      }
      expect([pids[0] === pids[1], pids[1] === pids[2], pids[2] === pids[3]]).toEqual([true, false, true]);
    });
  });

  describe('maxLifetimeSeconds', () => {
    const maxLifetimeSeconds = 0.2;
    const expired = (pool: Pool): number => (pool as Pool & { expiredCount: number }).expiredCount;

    test('closes an idle connection when its time is over', async () => {
      const pool = make({ maxLifetimeSeconds });
      const removed = nextEvent(pool, 'remove');
      await pool.query('SELECT 1');
      await removed;
      expect([pool.totalCount, expired(pool)]).toEqual([0, 0]);
      await pool.query('SELECT 1');
      expect(pool.totalCount).toBe(1);
    });

    test('closes a lent connection at its release', async () => {
      const pool = make({ maxLifetimeSeconds });
      const client = await pool.connect();
      while (expired(pool) === 0) await client.query('SELECT 1');
      expect(pool.totalCount).toBe(1);
      client.release();
      expect([pool.totalCount, expired(pool)]).toEqual([0, 0]);
    });
  });

  test('max 1 runs one query at a time, in order', async () => {
    const pool = make({ max: 1 });
    const texts = ['SELECT 1 AS n', 'SELECT 2 AS n', 'SELECT 3 AS n'];
    const done: number[] = [];
    await Promise.all(
      texts.map((text) => pool.query<{ n: number }>(text).then(({ rows }) => done.push(rows[0]!.n))),
    );
    expect(done).toEqual([1, 2, 3]);
    expect(pool.totalCount).toBe(1);
  });

  test('the options object of the caller is not written to', async () => {
    const options = Object.freeze({ max: 3, connectionString: db.url });
    const pool = make(options);
    await pool.query('SELECT 1');
    expect(pool.options.max).toBe(3);
  });
});
