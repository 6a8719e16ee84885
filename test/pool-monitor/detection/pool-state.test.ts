import type { Pool, PoolClient } from 'pg';
import { AcquireTimeoutError, runInTransaction, SelfDeadlockError } from 'holdfast';
import { openRequest } from 'holdfast/pool-monitor';
import { useDatabase } from '../../harness/database.js';
import { WatchedPool } from './watched-pool.js';

const db = useDatabase();
let pool: Pool;
let watched: WatchedPool;

function watch(max: number, limit: { connectionTimeoutMillis?: number } = {}): void {
  pool = db.pool({ max });
  // It is the limit of a new connection as well, which a machine with much to do does not meet.
  pool.once('connect', () => Object.assign(pool.options, limit));
  watched = new WatchedPool(pool);
}
afterEach(() => watched.end());

async function take(count: number): Promise<PoolClient[]> {
  const clients: PoolClient[] = [];
  for (let i = 0; i < count; i++) clients.push(await pool.connect());
  return clients;
}

describe('exhausted', () => {
  test('a full pool with waiters for 5 s, with who holds it; over 10 s after nobody waits any more', async () => {
    watch(2);
    const clients = await take(2);
    const waiter = pool.connect();
    watched.clock.advance(4000);
    expect(watched.lines).toEqual([]);
    watched.clock.advance(1000);
    const exhausted = watched.finding('exhausted');
    expect(exhausted).toMatchObject({ severity: 'critical', certainty: 'certain', site: undefined });
    expect(exhausted.evidence).toContain(
      'Pool "shop" has 2 of 2 connections in use and 1 caller waiting, the oldest for 5 s.',
    );
    expect(exhausted.evidence).toMatch(
      /Held by take \(test\/pool-monitor\/detection\/pool-state\.test\.ts:\d+\) 2 /,
    );
    for (const client of clients) client.release();
    (await waiter).release();
    watched.clock.advance(9000);
    expect(watched.lines).toEqual(['opened exhausted']);
    watched.clock.advance(1000);
    expect(watched.lines).toEqual(['opened exhausted', 'closed exhausted']);
    expect(watched.events.at(-1)).toMatchObject({ ended: 'Over after 10 s: 0 of 2 in use, 0 waiting.' });
  });

  test('at once when a caller got no connection in time, who is told who holds them', async () => {
    watch(1, { connectionTimeoutMillis: 50 });
    const [client] = await take(1);
    const error = await askInVain().catch((thrown: unknown) => thrown as Error);
    expect(error).toBeInstanceOf(AcquireTimeoutError);
    expect(error.message).toContain('got no connection of pool "shop" in time');
    expect(error.message).toContain('In use 1 of 1, idle 0, pending 0');
    expect(error.message).toMatch(
      /Held by take \(test\/pool-monitor\/detection\/pool-state\.test\.ts:\d+\) 1 \(oldest /,
    );
    expect(error.stack).toContain('askInVain');
    expect((error.cause as Error).message).toBe('timeout exceeded when trying to connect');
    watched.clock.advance(1000);
    expect(watched.finding('exhausted').evidence).toContain('1 caller got none in time.');
    client!.release();
  });

  async function askInVain(): Promise<never> {
    await pool.connect();
    throw new Error('it got one');
  }

  test('a pool.query() that waits in vain is told as well', async () => {
    watch(1, { connectionTimeoutMillis: 50 });
    const [client] = await take(1);
    await expect(pool.query('SELECT 1')).rejects.toThrow(/Held by take/);
    client!.release();
  });

  test('names the leak as what to mend first', async () => {
    watch(2);
    const clients = await take(2);
    watched.clock.advance(125_000);
    const waiter = pool.connect();
    watched.clock.advance(6000);
    expect(watched.finding('exhausted').advice).toContain(
      '2 connections of them are leaked: mend that first',
    );
    for (const client of clients) client.release();
    (await waiter).release();
  });
});

describe('pressure', () => {
  test('80 % in use for 60 s, and over 10 s after', async () => {
    watch(5);
    const clients = await take(4);
    for (let second = 0; second < 59; second++) {
      watched.clock.advance(1000);
      for (const client of clients) await client.query('SELECT 1');
    }
    expect(watched.lines).toEqual([]);
    watched.clock.advance(1000);
    expect(watched.lines).toEqual(['opened pressure']);
    expect(watched.finding('pressure').evidence).toContain(
      '4 of 5 connections in use, above 80 % for 1 min.',
    );
    for (const client of clients) client.release();
    watched.clock.advance(10_000);
    expect(watched.lines).toEqual(['opened pressure', 'closed pressure']);
  });

  test('slow to lend: the 95th percentile of the waits is above 1 s', async () => {
    watch(1);
    for (let i = 0; i < 5; i++) {
      const [client] = await take(1);
      const waiter = pool.connect();
      watched.clock.advance(1500);
      client!.release();
      (await waiter).release();
    }
    watched.clock.advance(1000);
    expect(watched.finding('pressure').evidence).toContain('one caller in twenty waits longer than 2 s');
  });
});

describe('self-deadlock', () => {
  test('of transactions: certain, at once, and no leak', async () => {
    watch(1);
    const outcome = await runInTransaction(
      async () => {
        await pool.query('SELECT 1');
        return runInTransaction(() => pool.query('SELECT 1'), {
          dataSource: 'shop',
          propagation: 'REQUIRES_NEW',
          name: 'Audit.write',
        });
      },
      { dataSource: 'shop', name: 'Order.place' },
    ).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(SelfDeadlockError);
    expect(watched.lines).toEqual(['opened self-deadlock']);
    expect(watched.finding('self-deadlock')).toMatchObject({ certainty: 'certain', severity: 'critical' });
    expect(watched.finding('self-deadlock').evidence).toContain('"Order.place"');
  });

  test('of requests that each hold a client and wait for one more: likely, and no leak', async () => {
    watch(2);
    const requests = [openRequest('POST /orders', watched.clock), openRequest('POST /orders', watched.clock)];
    const clients = await Promise.all(requests.map((request) => request.run(() => pool.connect())));
    const waiters = requests.map((request) => request.run(() => pool.connect()));
    watched.clock.advance(3000);
    expect(watched.lines).toEqual(['opened self-deadlock']);
    expect(watched.finding('self-deadlock')).toMatchObject({ certainty: 'likely' });
    for (const client of clients) client.release();
    for (const waiter of waiters) (await waiter).release();
    watched.clock.advance(1000);
    expect(watched.lines).toEqual(['opened self-deadlock', 'closed self-deadlock']);
  });

  test('of functions that each hold a client and ask for one more, where nobody says what a request is', async () => {
    watch(2);
    const released: (() => void)[] = [];
    async function placeOrder(): Promise<void> {
      const client = await pool.connect();
      released.push(() => client.release());
      await writeAudit();
    }
    async function writeAudit(): Promise<void> {
      const client = await pool.connect();
      client.release();
    }
    const orders = [placeOrder(), placeOrder()];
    while (watched.managed.waiting().length < 2) await new Promise(setImmediate);
    watched.clock.advance(3000);
    expect(watched.lines).toEqual(['opened self-deadlock']);
    expect(watched.finding('self-deadlock')).toMatchObject({ certainty: 'likely', severity: 'critical' });
    expect(watched.finding('self-deadlock').evidence).toMatch(
      /^All 2 connections of pool "shop" are held by code that waits for one more itself: writeAudit \(.*\) 2 /,
    );
    for (const release of released) release();
    await Promise.all(orders);
    watched.clock.advance(1000);
    expect(watched.lines).toEqual(['opened self-deadlock', 'closed self-deadlock']);
  });

  test('of callers that wait for their first connection it is none: the pool is full', async () => {
    watch(2);
    const clients: PoolClient[] = [];
    async function placeOrder(): Promise<void> {
      clients.push(await pool.connect());
      await new Promise(() => {});
    }
    for (let i = 0; i < 4; i++) void placeOrder();
    while (watched.managed.waiting().length < 2 || clients.length < 2) await new Promise(setImmediate);
    watched.clock.advance(6000);
    expect(watched.lines).toEqual(['opened exhausted']);
    while (clients.length > 0) {
      clients.shift()!.release();
      await new Promise(setImmediate);
      while (watched.managed.waiting().length > 0 && clients.length === 0) await new Promise(setImmediate);
    }
  });

  test('a full pool whose waiters are others is none', async () => {
    watch(1);
    const [first, second] = [
      openRequest('POST /orders', watched.clock),
      openRequest('GET /orders', watched.clock),
    ];
    const client = await first!.run(() => pool.connect());
    const waiter = second!.run(() => pool.connect());
    watched.clock.advance(4000);
    expect(watched.lines).toEqual([]);
    client.release();
    (await waiter).release();
  });
});

describe('releases', () => {
  beforeEach(() => watch(2));

  test('inside a transaction: a dirty release', async () => {
    const [client] = await take(1);
    await client!.query('BEGIN');
    client!.release();
    watched.clock.advance(1000);
    expect(watched.finding('dirty-release').evidence).toMatch(
      /^take \(.*\) gave a connection of pool "shop" back inside a transaction/,
    );
    await pool.query('ROLLBACK');
  });

  test('with its ROLLBACK on the way: a clean one', async () => {
    const [client] = await take(1);
    await client!.query('BEGIN');
    const ending = client!.query('ROLLBACK');
    client!.release();
    await ending;
    expect(watched.lines).toEqual([]);
  });

  test('twice: a double release; used after it: a stale use; each is over when it is not seen for 5 minutes', async () => {
    const [client] = await take(1);
    client!.release();
    expect(() => client!.release()).toThrow('already been released');
    expect(() => client!.release()).toThrow('already been released');
    await client!.query('SELECT 1');
    expect(watched.finding('double-release')).toMatchObject({ count: 2 });
    expect(watched.finding('stale-use')).toMatchObject({ count: 1 });
    watched.clock.advance(300_000);
    expect(watched.findings).toEqual([]);
  });
});

describe('long transaction', () => {
  test('open for longer than 60 s, and over with its end', async () => {
    watch(2);
    const clock = watched.clock;
    await runInTransaction(
      async () => {
        await pool.query('SELECT 1');
        clock.advance(62_000);
        expect(watched.finding('long-transaction').evidence).toMatch(
          /^1 transaction of Report\.export \(test\/.*:\d+\) is open on pool "shop", the longest for 1 min 2 s\.$/,
        );
        clock.advance(90_000);
        expect(watched.finding('long-transaction').evidence).toContain('nothing has been sent for 2 min');
      },
      { dataSource: 'shop', name: 'Report.export' },
    );
    watched.clock.advance(1000);
    expect(watched.lines.at(-1)).toBe('closed long-transaction');
  });
});
