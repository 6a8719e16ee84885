import { Client, Pool } from 'pg';
import {
  DuplicateDataSourceError,
  InvalidOptionsError,
  managePool,
  PoolEndedError,
  runInTransaction,
  unmanagePool,
  UnknownDataSourceError,
  UnsupportedDriverError,
  type ManagedPool,
} from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { preparePool } from '../../src/connection/index.js';
import { useDatabase } from '../harness/database.js';
import { describeInstance, errorOf } from './inspect.js';

const db = useDatabase();
const managed: ManagedPool[] = [];
const manage = (...args: Parameters<typeof managePool>): ManagedPool => {
  const handle = managePool(...args);
  managed.push(handle);
  return handle;
};
afterEach(() => managed.splice(0).forEach(unmanagePool));

const backendOf = async (dataSource: string, pool: Pool, readOnly = false): Promise<number> => {
  const { rows } = await runInTransaction(
    () => pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'),
    { dataSource, readOnly },
  );
  return rows[0]!.pid;
};

describe('names', () => {
  test('the same pool and name give the same handle', async () => {
    const pool = db.pool();
    const first = manage(pool, { name: 'shop' });
    const { connect } = pool;
    expect(managePool(pool, { name: 'shop' })).toBe(first);
    expect(pool.connect).toBe(connect);
    expect(first).toMatchObject({ name: 'shop', ended: false });
    expect(await backendOf('shop', pool)).toBeGreaterThan(0);
  });

  test('without a name it is "default"', () => {
    const pool = db.pool();
    expect(manage(pool).name).toBe('default');
    expect(managePool(pool, {})).toBe(managePool(pool, { name: 'default' }));
  });

  test('a repeated call may leave the options of the first out', () => {
    const pool = db.pool();
    const clock = new ManualClock();
    const handle = manage(pool, { name: 'shop', clock });
    expect(managePool(pool)).toBe(handle);
    expect(managePool(pool, { clock })).toBe(handle);
    expect(managePool(pool, { name: 'shop' })).toBe(handle);
    expect(handle).toMatchObject({ name: 'shop', clock });
  });

  test.each([
    ['its own', new ManualClock()],
    ['the default', undefined],
  ])('a repeated call cannot change the clock: the first has %s', (_which, clock) => {
    const pool = db.pool();
    const handle = manage(pool, { name: 'shop', ...(clock && { clock }) });
    const error = errorOf(() => managePool(pool, { clock: new ManualClock() }));
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toBe(
      'managePool options.clock is not the clock that pool "shop" is managed with. Give it in the first call, or leave it out.',
    );
    expect(managePool(pool)).toBe(handle);
  });

  test('two pools under one name: the second is refused, and left as it was', async () => {
    const [first, second] = [db.pool(), db.pool()];
    manage(first, { name: 'shop' });
    const before = describeInstance(second);
    const error = errorOf(() => managePool(second, { name: 'shop' }));

    expect(error).toBeInstanceOf(DuplicateDataSourceError);
    expect(error.message).toMatch(
      /already managed under the name "shop".*managePool\(pool, \{ name.*TypeOrmModule\.forRoot\(\{ name.*unmanagePool.*dataSource\.destroy\(\) or app\.close\(\)/,
    );
    expect(describeInstance(second)).toEqual(before);
    expect(manage(second, { name: 'other' }).name).toBe('other');
    await expect(second.query('SELECT 1')).resolves.toMatchObject({ rowCount: 1 });
  });

  test('one pool under two names is refused, and stays under the first', () => {
    const pool = db.pool();
    const handle = manage(pool, { name: 'shop' });
    const error = errorOf(() => managePool(pool, { name: 'store' }));
    expect(error).toBeInstanceOf(DuplicateDataSourceError);
    expect(error.message).toMatch(
      /already managed as "shop"; it cannot be "store" as well\. Use it as "shop", or call unmanagePool/,
    );
    expect(managePool(pool, { name: 'shop' })).toBe(handle);
  });

  test('a name is free again after unmanagePool, and after the pool ended', async () => {
    const pools = [db.pool(), db.pool(), db.pool()] as const;
    unmanagePool(managePool(pools[0], { name: 'shop' }));
    manage(pools[1], { name: 'shop' });
    await pools[1].end();
    manage(pools[2], { name: 'shop' });
    expect(await backendOf('shop', pools[2])).toBeGreaterThan(0);
  });

  test('the late unmanaging of an ended pool does not take the name from its successor', async () => {
    const [first, second] = [db.pool(), db.pool()];
    const old = managePool(first, { name: 'shop' });
    await first.end();
    manage(second, { name: 'shop' });
    unmanagePool(old);
    expect(await backendOf('shop', second)).toBeGreaterThan(0);
  });

  test('an unknown name says which names there are', async () => {
    manage(db.pool(), { name: 'shop' });
    await expect(runInTransaction(async () => undefined, { dataSource: 'shoop' })).rejects.toMatchObject({
      code: UnknownDataSourceError.code,
      message: expect.stringMatching(/No managed data source is named "shoop".*"shop"/) as unknown,
    });
  });

  test('a name with a line break and quotation marks stays on the line of its message', async () => {
    manage(db.pool(), { name: 'own\n"shop"' });
    await expect(runInTransaction(async () => undefined, { dataSource: 'a\n"b"' })).rejects.toMatchObject({
      message: expect.stringContaining(String.raw`is named "a\n\"b\"". Managed: "own\n\"shop\"".`) as unknown,
    });
  });
});

describe('objects that are refused', () => {
  class OldClient extends Client {}
  Object.defineProperty(OldClient.prototype, 'getTransactionStatus', { value: undefined });

  const mysqlLike = { getConnection: () => undefined, query: () => undefined, end: () => undefined };

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['an empty object', {}],
    ['a string', 'postgres://localhost/db'],
    ['a mysql2-like pool', mysqlLike],
    ['a pg Client', new Client()],
    ['the Pool class', Pool],
    ['a promise of a pool', Promise.resolve(1)],
  ])('%s', (_what, object) => {
    const error = errorOf(() => managePool(object as unknown as Pool));
    expect(error).toBeInstanceOf(UnsupportedDriverError);
    expect(error.message).toContain('managePool takes a pg.Pool');
    expect(error.message).toContain('manageDataSource(dataSource)');
  });

  test('a pool whose client is older than pg 8.21, which stays as it was', async () => {
    const pool = db.pool({ Client: OldClient });
    const before = describeInstance(pool);
    const error = errorOf(() => managePool(pool, { name: 'shop' }));
    expect(error).toBeInstanceOf(UnsupportedDriverError);
    expect(error.message).toMatch(/"shop".*pg 8\.21 or newer \(npm install pg@\^8\.21\)/);
    expect(describeInstance(pool)).toEqual(before);
    await expect(pool.query('SELECT 1')).resolves.toMatchObject({ rowCount: 1 });
  });

  test.each(['never managed', 'managed before'])('a pool that has ended: %s', async (state) => {
    const pool = db.pool();
    if (state === 'managed before') manage(pool, { name: 'shop' });
    await pool.end();
    const error = errorOf(() => managePool(pool, { name: 'shop' }));
    expect(error).toBeInstanceOf(PoolEndedError);
    expect(error.message).toContain('"shop" has ended');
  });

  test('a transaction on a pool that has ended since', async () => {
    const pool = db.pool();
    manage(pool, { name: 'shop' });
    await pool.end();
    await expect(runInTransaction(async () => undefined, { dataSource: 'shop' })).rejects.toMatchObject({
      code: PoolEndedError.code,
      message: expect.stringContaining('"shop" has ended') as unknown,
    });
  });
});

describe('options that are refused', () => {
  test.each([
    [{ name: '' }, 'managePool options.name must be a non-empty string, but is "".'],
    [{ name: 7 }, 'managePool options.name must be a non-empty string, but is 7.'],
    [{ name: null }, 'managePool options.name must be a non-empty string, but is null.'],
    [{ nmae: 'shop' }, 'managePool options has no option "nmae"; did you mean "name"?'],
    [
      { colour: 'red' },
      'managePool options has no option "colour". Known options: name, clock, acquireTimeoutMs, connectionLimit.',
    ],
    [
      { clock: {} },
      'managePool options.clock must be a Clock: { now(), setTimer() }, but is an object (Object).',
    ],
    ['shop', 'managePool options must be an options object, but is "shop".'],
    [['shop'], 'managePool options must be an options object, but is an array.'],
  ])('%j', (options, message) => {
    const pool = db.pool();
    const before = describeInstance(pool);
    const error = errorOf(() => managePool(pool, options as unknown as { name: string }));
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toContain(message);
    expect(describeInstance(pool)).toEqual(before);
  });
});

describe('what management does to the pool', () => {
  test('only the instance changes: two own methods that nobody enumerates, and never the prototype', () => {
    const pool = db.pool();
    const prototypes = [Object.getPrototypeOf(pool) as object, Client.prototype].map(describeInstance);
    const keys = Object.keys(pool);
    manage(pool, { name: 'shop' });
    expect(Object.keys(pool)).toEqual(keys);
    expect(Object.hasOwn(pool, 'connect') && Object.hasOwn(pool, 'query')).toBe(true);
    expect([Object.getPrototypeOf(pool) as object, Client.prototype].map(describeInstance)).toEqual(
      prototypes,
    );
  });

  test.each(['as the driver made it', 'with own methods of the application'])(
    'unmanagePool brings the instance back: %s',
    async (state) => {
      const pool = db.pool();
      if (state !== 'as the driver made it') {
        const { query } = pool;
        Object.assign(pool, { query: (...args: unknown[]) => Reflect.apply(query, pool, args) as unknown });
      }
      const before = describeInstance(pool);
      const handle = managePool(pool, { name: 'shop' });
      await pool.query('SELECT 1');
      unmanagePool(handle);
      const { _clients, _idle, ...after } = describeInstance(pool);
      expect({ ...before, ...after }).toEqual(before);
      expect(Object.keys(after).length).toBe(Object.keys(before).length - 2);
      await expect(pool.query('SELECT 1')).resolves.toMatchObject({ rowCount: 1 });
    },
  );

  test('unmanaging twice is harmless, also when the pool is managed anew', async () => {
    const pool = db.pool();
    const old = managePool(pool, { name: 'shop' });
    unmanagePool(old);
    const handle = manage(pool, { name: 'shop' });
    expect(handle).not.toBe(old);
    unmanagePool(old);
    expect(managePool(pool, { name: 'shop' })).toBe(handle);
    expect(await backendOf('shop', pool)).toBeGreaterThan(0);
  });

  test('a wrapper that the application put around the managed method is left in place and works', async () => {
    const pool = db.pool();
    const other = db.pool();
    const handle = managePool(pool, { name: 'shop' });
    const { query } = pool;
    const texts: unknown[] = [];
    const wrapper = (...args: unknown[]): unknown => {
      texts.push(args[0]);
      return Reflect.apply(query, pool, args);
    };
    Object.assign(pool, { query: wrapper });
    await runInTransaction(() => pool.query('SELECT 1'), { dataSource: 'shop' });
    unmanagePool(handle);
    expect(pool.query).toBe(wrapper);
    await pool.query('SELECT 2');
    expect(texts).toEqual(['SELECT 1', 'SELECT 2']);
    manage(other, { name: 'shop' });
    await runInTransaction(
      async () => {
        const pids = await Promise.all(
          [pool, other].map((each) => each.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')),
        );
        expect(pids[0]!.rows[0]!.pid).not.toBe(pids[1]!.rows[0]!.pid);
      },
      { dataSource: 'shop' },
    );
  });

  test('a transaction that runs while its pool is unmanaged keeps its captured client', async () => {
    const pool = db.pool();
    const handle = managePool(pool, { name: 'shop' });
    await runInTransaction(
      async () => {
        const client = await pool.connect();
        await client.query("INSERT INTO entry (label) VALUES ('before')");
        unmanagePool(handle);
        await client.query("INSERT INTO entry (label) VALUES ('after')");
        client.release();
      },
      { dataSource: 'shop' },
    );
    expect(await db.query('SELECT label FROM entry ORDER BY id')).toEqual([
      { label: 'before' },
      { label: 'after' },
    ]);
    await db.truncate();
  });

  test('a prepared pool counts its leases, is in no data source yet, and can be taken back', async () => {
    const pool = db.pool();
    const before = describeInstance(pool);
    const handle = preparePool(pool);
    const client = await pool.connect();
    expect(handle).toMatchObject({ serving: false });
    expect(handle.leases()).toHaveLength(1);
    client.release();
    expect(manage(pool, { name: 'shop' })).toBe(handle);
    unmanagePool(handle);
    unmanagePool(preparePool(pool));
    expect(Object.keys(describeInstance(pool))).toEqual(Object.keys(before));
  });
});
