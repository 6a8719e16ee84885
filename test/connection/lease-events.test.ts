import type { Pool, PoolConfig } from 'pg';
import { managePool, runInTransaction, setLogger, unmanagePool, type ManagedPool } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { DriverLease } from '../../src/connection/driver-lease.js';
import { LeaseBook } from '../../src/connection/lease.js';
import { useDatabase } from '../harness/database.js';
import { LeaseLog } from './lease-log.js';

const db = useDatabase();
let pool: Pool;
let managed: ManagedPool;
let log: LeaseLog;
let clock: ManualClock;

function open(options: PoolConfig = {}): void {
  clock = new ManualClock();
  pool = db.pool({ max: 2, ...options });
  managed = managePool(pool, { name: 'leases', clock });
  log = new LeaseLog(managed);
}
afterEach(() => unmanagePool(managed));

describe('the life of a lease', () => {
  beforeEach(() => open());

  test.each([
    ['query', 'pool.query()', () => pool.query('SELECT 1')],
    ['client', 'pool.connect()', async () => (await pool.connect()).release()],
    [
      'transaction',
      'a transaction',
      () => runInTransaction(() => pool.query('SELECT 1'), { dataSource: 'leases' }),
    ],
  ])('%s: acquired and returned once for %s', async (kind, _way, use) => {
    await use();
    expect(log.lines).toEqual([`acquired ${kind}`, `returned ${kind}`]);
    expect(log.events[0]!.lease).toBe(log.events[1]!.lease);
    expect(managed.leases()).toEqual([]);
  });

  test.each([
    ['query', () => pool.query('SELECT 1 / 0')],
    ['client', async () => (await pool.connect()).release(new Error('broken'))],
    ['client', async () => (await pool.connect()).release(true)],
  ])('%s: destroyed, and not returned, when its connection is closed', async (kind, use) => {
    await Promise.resolve(use()).catch(() => undefined);
    expect(log.lines).toEqual([`acquired ${kind}`, `destroyed ${kind}`]);
    expect(pool.totalCount).toBe(0);
  });

  test('destroyed passes the error of the release as the reason', async () => {
    const reason = new Error('broken');
    (await pool.connect()).release(reason);
    (await pool.connect()).release(true);
    expect(log.events.filter(({ event }) => event === 'destroyed').map(({ detail }) => detail)).toEqual([
      reason,
      undefined,
    ]);
  });

  test('a transaction that issues no statement has no lease', async () => {
    await runInTransaction(async () => undefined, { dataSource: 'leases' });
    expect(log.lines).toEqual([]);
  });

  test('what a lease says: id, pool, kind, holder, times, backend pid', async () => {
    const client = await pool.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    clock.advance(5);
    await runInTransaction(() => pool.query('SELECT 1'), { dataSource: 'leases', name: 'Shop.order' });
    client.release();

    const [first, second] = log.leases();
    expect(first).toMatchObject({ pool: 'leases', kind: 'client', requestedAt: 0, acquiredAt: 0 });
    expect(first).toMatchObject({ backendId: rows[0]!.pid, holder: undefined });
    expect(second).toMatchObject({
      pool: 'leases',
      kind: 'transaction',
      holder: 'Shop.order',
      requestedAt: 5,
    });
    expect(second!.id).toBeGreaterThan(first!.id);
    expect(second!.backendId).not.toBe(first!.backendId);
  });

  test('leases() lists what is lent now, oldest first, without pool.query()', async () => {
    const client = await pool.connect();
    await runInTransaction(
      async () => {
        await pool.query('SELECT 1');
        expect(managed.leases().map(({ kind }) => kind)).toEqual(['client', 'transaction']);
      },
      { dataSource: 'leases' },
    );
    const query = pool.query('SELECT 1');
    expect(managed.leases().map(({ kind }) => kind)).toEqual(['client']);
    await query;
    client.release();
    expect(managed.leases()).toEqual([]);
  });

  test('counts() adds up while connections are lent, waited for and idle', async () => {
    expect(managed.counts()).toEqual({ max: 2, total: 0, inUse: 0, idle: 0, pending: 0 });
    const clients = await Promise.all([pool.connect(), pool.connect()]);
    const waiting = pool.connect();
    expect(managed.counts()).toEqual({ max: 2, total: 2, inUse: 2, idle: 0, pending: 1 });
    for (const client of clients) client.release();
    (await waiting).release();
    expect(managed.counts()).toEqual({ max: 2, total: 2, inUse: 0, idle: 2, pending: 0 });
  });
});

describe('waiting', () => {
  beforeEach(() => open({ max: 1 }));

  test('no wait while a connection is free or can be opened', async () => {
    await pool.query('SELECT 1');
    await pool.query('SELECT 1');
    expect(log.lines).toEqual(['acquired query', 'returned query', 'acquired query', 'returned query']);
  });

  test('a wait for each request that finds none; the end of one lease comes before the begin of the next', async () => {
    const client = await pool.connect();
    const next = Promise.all([
      pool.connect().then((second) => second.release()),
      pool.query('SELECT 1'),
      runInTransaction(() => pool.query('SELECT 1'), { dataSource: 'leases' }),
    ]);
    while (managed.counts().pending < 3) await Promise.resolve();
    expect(log.lines).toEqual(['acquired client', 'wait client', 'wait query', 'wait transaction']);
    clock.advance(7);
    client.release();
    await next;
    expect(log.numbered.filter((line) => line !== 'wait')).toEqual(
      [1, 2, 3, 4].flatMap((n) => [`acquired #${n}`, `returned #${n}`]),
    );
    expect(log.leases()[1]).toMatchObject({ requestedAt: 0, acquiredAt: 7 });
  });

  test('the second of two requests for the last idle connection waits', async () => {
    await pool.query('SELECT 1');
    log.events.length = 0;
    await Promise.all([pool.query('SELECT 1'), pool.query('SELECT 1')]);
    expect(log.numbered).toEqual(['wait', 'acquired #1', 'returned #1', 'acquired #2', 'returned #2']);
  });

  test('a request that times out waits, and is never acquired', async () => {
    const client = await pool.connect();
    Object.assign(pool.options, { connectionTimeoutMillis: 20 });
    await expect(pool.connect()).rejects.toThrow('timeout exceeded');
    client.release();
    expect(log.lines).toEqual(['acquired client', 'wait client', 'gaveUp client', 'returned client']);
  });
});

describe('connections that the pool closes by itself', () => {
  test('maxUses: destroyed', async () => {
    open({ maxUses: 1 });
    (await pool.connect()).release();
    expect(log.lines).toEqual(['acquired client', 'destroyed client']);
  });

  test('an ended pool: destroyed', async () => {
    open();
    const client = await pool.connect();
    const ended = pool.end();
    client.release();
    await ended;
    expect(log.lines).toEqual(['acquired client', 'destroyed client']);
  });

  test('maxLifetimeSeconds on an idle connection: acquire and release of pg-pool, and no lease', async () => {
    open({ maxLifetimeSeconds: 0.2 });
    const events: string[] = [];
    for (const event of ['acquire', 'release'] as const) pool.on(event, () => events.push(event));
    const removed = new Promise((resolve) => pool.once('remove', resolve));
    await pool.query('SELECT 1');
    await removed;
    expect(events).toEqual(['acquire', 'release', 'acquire', 'release']);
    expect(log.lines).toEqual(['acquired query', 'returned query']);
  });

  test('a session that dies while lent: destroyed at its release', async () => {
    open();
    const client = await pool.connect();
    const lost = new Promise((resolve) => client.on('error', resolve));
    await db.query('SELECT pg_terminate_backend($1)', [managed.leases()[0]!.backendId]);
    await lost;
    expect(log.lines).toEqual(['acquired client']);
    client.release();
    expect(log.lines).toEqual(['acquired client', 'destroyed client']);
  });
});

describe('observers', () => {
  beforeEach(() => open());

  test('one that throws is logged, and disturbs neither the pool nor the others', async () => {
    const logged: object[] = [];
    const silent = (): void => undefined;
    setLogger({ debug: silent, info: silent, warn: silent, error: (fields) => void logged.push(fields) });
    const fail = (): never => {
      throw new Error('observer broke');
    };
    managed.observe({ wait: fail, acquired: fail, returned: fail, destroyed: fail, lateUse: fail });
    const last = new LeaseLog(managed);
    try {
      await pool.query('SELECT 1');
      (await pool.connect()).release(true);
    } finally {
      setLogger(undefined);
    }
    expect(last.lines).toEqual(log.lines);
    expect(last.lines).toEqual(['acquired query', 'returned query', 'acquired client', 'destroyed client']);
    expect(logged).toMatchObject(
      ['acquired', 'returned', 'acquired', 'destroyed'].map((event) => ({
        event,
        error: { message: 'observer broke' },
      })),
    );
  });

  test('one that stops hears nothing more, and stopping twice is harmless', async () => {
    log.stop();
    log.stop();
    await pool.query('SELECT 1');
    expect(log.lines).toEqual([]);
  });

  test('one that begins in the middle of a lease hears its end', async () => {
    const client = await pool.connect();
    const late = new LeaseLog(managed);
    client.release();
    expect(late.lines).toEqual(['returned client']);
  });

  test('a listener of the pool that throws at a release does not leave the lease open', async () => {
    const client = await pool.connect();
    let raw: object | undefined;
    pool.once('release', (_error, released) => {
      raw = released;
      throw new Error('listener broke');
    });
    expect(() => client.release()).toThrow('listener broke');
    expect(managed.leases()).toEqual([]);
    expect(log.lines).toEqual(['acquired client', 'returned client']);
    // pg-pool itself is left without the connection's end.
    (pool as Pool & { _remove(removed: object): void })._remove(raw!);
  });
});

describe('what nobody listens to', () => {
  beforeEach(() => {
    open();
    log.stop();
  });

  test('pool.query() makes no lease and emits no event', async () => {
    const opened = jest.spyOn(LeaseBook.prototype, 'opened');
    const emitted = jest.spyOn(LeaseBook.prototype, 'emit');
    let acquired = 0;
    pool.on('acquire', () => acquired++);
    try {
      await Promise.all(Array.from({ length: 20 }, () => pool.query('SELECT 1')));
      expect(acquired).toBe(20);
      expect([opened.mock.calls.length, emitted.mock.calls.length]).toEqual([0, 0]);
      (await pool.connect()).release();
      expect(opened).toHaveBeenCalledTimes(1);
      expect(opened.mock.calls[0]![0]).toBeInstanceOf(DriverLease);
      expect(emitted).not.toHaveBeenCalled();
    } finally {
      jest.restoreAllMocks();
    }
  });
});
