import type { PoolClient } from 'pg';
import { useDatabase } from '../harness/database.js';
import { called, nextEvent, pidOf, poolMaker, poolRows, terminate, until } from './pool-rows.js';

const db = useDatabase();

type Lent = [error: Error | undefined, client: PoolClient | undefined, done: () => void];

describe.each(poolRows)('events of a $row pool', (row) => {
  const make = poolMaker(db, row);

  test('a checkout of a new connection: connect, acquire, the callback, release', async () => {
    const pool = make();
    const seen: string[] = [];
    for (const event of ['connect', 'acquire', 'release', 'remove'] as const) {
      pool.on(event, () => seen.push(event));
    }
    await called<Lent>((callback) =>
      pool.connect((error, client, done) => {
        seen.push('callback');
        done();
        callback(error, client, done);
      }),
    );
    expect(seen).toEqual(['connect', 'acquire', 'callback', 'release']);
  });

  test('connect once for each connection, acquire and release once for each checkout', async () => {
    const pool = make({ max: 2 });
    const counts = { connect: 0, acquire: 0, release: 0 };
    pool.on('connect', () => counts.connect++);
    pool.on('acquire', () => counts.acquire++);
    pool.on('release', () => counts.release++);
    await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        if (index % 2) return pool.query('SELECT 1');
        const client = await pool.connect();
        client.release();
        return undefined;
      }),
    );
    expect(counts).toEqual({ connect: 2, acquire: 10, release: 10 });
  });

  test('no connect event for a connection that fails', async () => {
    const pool = make({ connectionString: `${db.url}_missing` });
    pool.on('connect', () => {
      throw new Error('never here');
    });
    await expect(pool.connect()).rejects.toMatchObject({ code: '3D000' });
  });

  test('release passes the error that the client was released with', async () => {
    const pool = make();
    const reason = new Error('given up');
    const client = await pool.connect();
    const released = nextEvent<[Error, PoolClient]>(pool, 'release');
    client.release(reason);
    const [error, emitted] = await released;
    expect(error).toBe(reason);
    expect(pidOf(emitted)).toBe(pidOf(client));
  });

  test('one connection is one object in all of its events, over several checkouts', async () => {
    const pool = make({ max: 1 });
    const open = new Set<PoolClient>();
    const lent = new Set<PoolClient>();
    pool.on('connect', (client) => open.add(client));
    pool.on('remove', (client) => open.delete(client));
    pool.on('acquire', (client) => lent.add(client));
    pool.on('release', (_error, client) => lent.delete(client));
    for (let round = 0; round < 3; round++) {
      const client = await pool.connect();
      expect([open.size, lent.size]).toEqual([1, 1]);
      client.release();
      expect(lent.size).toBe(0);
    }
    const removed = nextEvent(pool, 'remove');
    (await pool.connect()).release(true);
    await removed;
    expect([open.size, lent.size]).toEqual([0, 0]);
  });

  test('what a listener of connect puts on the client is there for its holders', async () => {
    const pool = make({ max: 1 });
    const sent: string[] = [];
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      const logged = (...args: unknown[]): unknown => {
        sent.push(String(args[0]));
        return query(...args);
      };
      Object.assign(client, { tag: 'set once', query: logged });
    });
    for (const text of ['SELECT 1', 'SELECT 2']) {
      const client = await pool.connect();
      await client.query(text);
      expect(client).toMatchObject({ tag: 'set once' });
      client.release();
    }
    expect(sent).toEqual(['SELECT 1', 'SELECT 2']);
  });

  test('a listener may use the client of its event', async () => {
    const pool = make({ max: 1 });
    pool.on('connect', (client) => void client.query("SET application_name = 'by listener'"));
    const { rows } = await pool.query<{ name: string }>("SELECT current_setting('application_name') AS name");
    expect(rows).toEqual([{ name: 'by listener' }]);
  });

  test('the error of an idle client reaches the pool, with the client, which is removed', async () => {
    const pool = make({ max: 1 });
    const client = Object.assign(await pool.connect(), { tag: 'mine' });
    client.release();
    const failed = nextEvent<[Error & { client?: PoolClient }, PoolClient]>(pool, 'error');
    await terminate(db, pidOf(client));
    const [error, emitted] = await failed;

    expect(error).toMatchObject({ code: '57P01' });
    expect(error.client).toBe(emitted);
    expect(emitted).toMatchObject({ tag: 'mine', processID: pidOf(client) });
    expect([pool.totalCount, pool.idleCount]).toEqual([0, 0]);
  });

  test('the error of a lent client is the holder’s, not the pool’s', async () => {
    const pool = make({ max: 1 });
    const ofPool: Error[] = [];
    pool.on('error', (error) => ofPool.push(error));
    const client = await pool.connect();
    const failed = new Promise<Error>((resolve) => client.on('error', resolve));
    await terminate(db, pidOf(client));

    await expect(failed).resolves.toMatchObject({ code: '57P01' });
    expect(pool.totalCount).toBe(1);
    client.release();
    expect(pool.totalCount).toBe(0);
    expect(ofPool).toEqual([]);
  });

  test('a session that dies under query() rejects it, and the pool goes on', async () => {
    const pool = make({ max: 1 });
    pool.on('error', () => undefined);
    const kill = until(async () => {
      const [running] = (await db.sessions()).filter(({ query }) => query.includes('pg_sleep'));
      if (running) await terminate(db, running.pid);
      return running !== undefined;
    });
    await expect(pool.query('SELECT pg_sleep(30)')).rejects.toMatchObject({ code: '57P01' });
    await kill;
    await expect(pool.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
  });

  test('a socket that is closed behind the pool’s back costs one idle connection', async () => {
    const pool = make({ max: 1 });
    const failed = nextEvent(pool, 'error');
    const client = (await pool.connect()) as PoolClient & { connection: { stream: { end(): void } } };
    client.release();
    client.connection.stream.end();
    await failed;
    for (let round = 0; round < 3; round++) await pool.query('SELECT 1');
    expect(pool.totalCount).toBe(1);
  });

  test('the pool writes its log through the option `log`', async () => {
    const lines: unknown[] = [];
    await make({ log: (...messages) => void lines.push(messages[0]) }).query('SELECT 1');
    expect(lines).toEqual(
      expect.arrayContaining(['connecting new client', 'new client connected', 'dispatching query']),
    );
  });

  test('listeners of a lent client hear it, and can be taken off again', async () => {
    const pool = make({ max: 1 });
    const client = await pool.connect();
    const notices: (string | undefined)[] = [];
    const listener = (notice: { message: string | undefined }): void => void notices.push(notice.message);
    const say = (word: string) => client.query(`DO $$ BEGIN RAISE NOTICE '${word}'; END $$`);

    expect(client.on('notice', listener)).toBe(client);
    await say('heard');
    expect(client.listenerCount('notice')).toBe(1);
    client.off('notice', listener);
    await say('unheard');
    expect(notices).toEqual(['heard']);
    client.release();
  });
});

/**
 * The one difference that a holder can see: each loan of a managed pool is an object of its own, because a
 * holder whose loan has ended could otherwise not be told from the next one (CONFORMANCE 23).
 */
describe.each(poolRows)('identity of the clients of a $row pool', (row) => {
  const sameObject = !row.managed;
  const make = poolMaker(db, row);

  test('between the events and the loan', async () => {
    const pool = make({ max: 1 });
    const connected = nextEvent<[PoolClient]>(pool, 'connect');
    const client = await pool.connect();
    const [emitted] = await connected;
    expect(emitted === client).toBe(sameObject);
    expect(connectionOf(emitted)).toBe(connectionOf(client));
    client.release();
  });

  test('between two loans of one connection', async () => {
    const pool = make({ max: 1 });
    const first = await pool.connect();
    first.release();
    const second = await pool.connect();
    expect(second === first).toBe(sameObject);
    expect(connectionOf(second)).toBe(connectionOf(first));
    second.release();
  });
});

function connectionOf(client: PoolClient): object {
  return (client as unknown as { connection: object }).connection;
}
