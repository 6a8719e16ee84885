import { Client } from 'pg';
import type { PoolClient } from 'pg';
import { useDatabase } from '../harness/database.js';
import { called, pidOf, poolMaker, poolRows, rowsOf } from './pool-rows.js';

const db = useDatabase();

type Done = (error?: Error | boolean) => void;
type Lent = [error: Error | undefined, client: PoolClient | undefined, done: Done];

describe.each(poolRows)('checkout on a $row pool', (row) => {
  const make = poolMaker(db, row);

  test('a promise lends a client, and release gives it back', async () => {
    const pool = make({ max: 2 });
    const client = await pool.connect();

    expect(rowsOf(await client.query('SELECT $1::text AS name', ['ada']))).toEqual([{ name: 'ada' }]);
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 0]);
    client.release();
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
  });

  test('a callback gets the client and its release function; connect() returns nothing', async () => {
    const pool = make();
    let returned: unknown = 'nothing yet';
    const [error, client, done] = await called<Lent>((callback) => {
      returned = pool.connect(callback as Parameters<typeof pool.connect>[0]);
    });

    expect(error).toBeUndefined();
    expect(returned).toBeUndefined();
    expect(rowsOf(await client!.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
    done();
    expect(pool.idleCount).toBe(1);
  });

  test('the callback is never called before connect() has returned', async () => {
    const pool = make();
    for (const state of ['new connection', 'idle connection']) {
      let returned = false;
      const wasReturned = await new Promise((resolve) => {
        pool.connect((_error, _client, done) => {
          done();
          resolve(returned);
        });
        returned = true;
      });
      expect([state, wasReturned]).toEqual([state, true]);
    }
  });

  test('a client is an instance of Client, with the properties that the pool passed to it', async () => {
    const client = await make({ application_name: 'face' }).connect();

    expect(client).toBeInstanceOf(Client);
    expect(client.constructor).toBe(Client);
    expect(pidOf(client)).toBe(rowsOf(await client.query('SELECT pg_backend_pid() AS pid')).map(pid)[0]);
    expect((client as unknown as Client).database).toBe(db.name);
    expect('query' in client).toBe(true);
    expect(client.escapeIdentifier('a"b')).toBe('"a""b"');
    client.release();
  });

  test.each([
    ['the client', (client: PoolClient, _done: Done) => () => client.release()],
    ['the callback', (_client: PoolClient, done: Done) => () => done()],
  ])('a second release through %s throws, each time, and the pool stays whole', async (_way, giveBack) => {
    const pool = make({ max: 1 });
    const [, client, done] = await called<Lent>((callback) =>
      pool.connect(callback as Parameters<typeof pool.connect>[0]),
    );
    const release = giveBack(client!, done);

    release();
    expect(release).toThrow('Release called on client which has already been released to the pool.');
    expect(release).toThrow('Release called on client which has already been released to the pool.');
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
  });

  test.each([new Error('broken'), true])('release(%p) closes the connection', async (reason) => {
    const pool = make({ max: 1 });
    const first = await pool.connect();
    first.release(reason);
    expect([pool.totalCount, pool.idleCount]).toEqual([0, 0]);

    const second = await pool.connect();
    expect(pidOf(second)).not.toBe(pidOf(first));
    second.release();
  });

  test('release(false) and release(undefined) keep it', async () => {
    const pool = make({ max: 1 });
    for (const reason of [false, undefined]) (await pool.connect()).release(reason);
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
  });

  test('a client that ended, or cannot be queried, is removed at its release', async () => {
    const pool = make({ max: 1 });
    const ended = await pool.connect();
    await (ended as unknown as Client).end();
    ended.release();
    expect(pool.totalCount).toBe(0);

    const broken = await pool.connect();
    (broken as unknown as { _queryable: boolean })._queryable = false;
    broken.release();
    expect(pool.totalCount).toBe(0);
  });

  test('the same connection is lent again, with what was written on its client', async () => {
    const pool = make({ max: 1 });
    const mark = Symbol('mark');
    const onDone = (): string => 'kept';
    class Tag {}
    const first = Object.assign(await pool.connect(), { [mark]: 1, onDone, Tag });
    const pid = pidOf(first);
    first.release();

    const second = (await pool.connect()) as typeof first;
    expect(pidOf(second)).toBe(pid);
    expect(second).toMatchObject({ [mark]: 1 });
    expect(second.onDone).toBe(onDone);
    expect(new second.Tag()).toBeInstanceOf(Tag);
    expect((second as unknown as Client & { connection: object }).connection).toBe(
      (first as unknown as Client & { connection: object }).connection,
    );
    expect(Object.keys(second)).toContain('onDone');
    expect(Reflect.deleteProperty(second, 'onDone')).toBe(true);
    expect('onDone' in second).toBe(false);
    second.release();
  });

  test('requests beyond max wait in line, and each is served once', async () => {
    const pool = make({ max: 3 });
    for (const client of await Promise.all([1, 2, 3].map(() => pool.connect()))) client.release();
    const order: number[] = [];
    let out = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const client = await pool.connect();
        most = Math.max(most, ++out);
        order.push(index);
        await client.query('SELECT 1');
        out--;
        client.release();
      }),
    );

    expect(order).toEqual(Array.from({ length: 30 }, (_, index) => index));
    expect([most, pool.totalCount, pool.waitingCount]).toEqual([3, 3, 0]);
  });

  test('counts say what is idle, lent and waited for', async () => {
    const pool = make({ max: 1 });
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([0, 0, 0]);
    const client = await pool.connect();
    const waiting = [pool.connect(), pool.connect()];
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([1, 0, 2]);
    client.release();
    for (const next of waiting) (await next).release();
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([1, 1, 0]);
  });

  test('a client used in callback style inside nested callbacks', async () => {
    const pool = make();
    const [error, rows] = await called<[Error | null, unknown[]]>((callback) =>
      pool.connect((connectError, client, done) => {
        if (connectError || !client) return callback(connectError ?? null, []);
        client.query('SELECT 1 AS one', (firstError, first) => {
          client.query('SELECT $1::int AS two', [2], (secondError, second) => {
            done();
            callback(firstError ?? secondError, [...rowsOf(first), ...rowsOf(second)]);
          });
        });
      }),
    );

    expect(error).toBeFalsy();
    expect(rows).toEqual([{ one: 1 }, { two: 2 }]);
  });
});

function pid(row: unknown): number {
  return (row as { pid: number }).pid;
}
