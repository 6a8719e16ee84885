import { AsyncLocalStorage } from 'node:async_hooks';
import type { Pool, PoolClient } from 'pg';
import Cursor from 'pg-cursor';
import {
  LeaseReleasedError,
  managePool,
  runInTransaction,
  StaleLeaseError,
  unmanagePool,
  type ManagedPool,
} from 'holdfast';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { useDatabase } from '../harness/database.js';
import { LeaseLog } from './lease-log.js';

const db = useDatabase();
let proxy: FaultProxy;
let pool: Pool;
let managed: ManagedPool;
let log: LeaseLog;
beforeEach(async () => {
  proxy = await db.proxy();
  pool = db.pool({ max: 1, connectionString: proxy.url(db.url) });
  managed = managePool(pool);
  log = new LeaseLog(managed);
});
afterEach(() => unmanagePool(managed));

const sent = (part: string): string[] =>
  proxy.statements.map(({ text }) => text).filter((text) => text.includes(part));

/** A client whose holder released it, and which somebody else may hold by now. */
interface Stale {
  readonly client: PoolClient;
  readonly done: (error?: Error | boolean) => void;
  readonly release: PoolClient['release'];
}

async function released(): Promise<Stale> {
  const stale = await new Promise<Stale>((resolve, reject) =>
    pool.connect((error, client, done) =>
      error || !client
        ? reject(error ?? new Error('no client'))
        : resolve({ client, done, release: client.release }),
    ),
  );
  stale.client.release();
  log.events.length = 0;
  return stale;
}

interface Holder {
  use(): Promise<unknown>;
  end(): Promise<void>;
}

/** Everybody who can hold the connection after the stale holder. */
const holders: readonly (readonly [who: string, hold: () => Promise<Holder>])[] = [
  [
    'another client',
    async () => {
      const client = await pool.connect();
      return {
        use: async () => (await client.query("SELECT 'mine' AS text")).rows,
        end: async () => client.release(),
      };
    },
  ],
  [
    'a transaction',
    () =>
      new Promise<Holder>((resolve, reject) => {
        let finish = (): void => undefined;
        const finished = new Promise<void>((done) => (finish = done));
        const over = runInTransaction(async () => {
          await pool.query("INSERT INTO entry (label) VALUES ('held')");
          const inside = AsyncLocalStorage.snapshot();
          resolve({
            use: () => inside(async () => (await pool.query("SELECT 'mine' AS text")).rows),
            end: () => {
              finish();
              return over;
            },
          });
          await finished;
        });
        over.catch(reject);
      }),
  ],
];

const releases: readonly (readonly [way: string, release: (stale: Stale) => void])[] = [
  ['client.release()', ({ client }) => client.release()],
  ['client.release(error)', ({ client }) => client.release(new Error('stale'))],
  ['done()', ({ done }) => done()],
  ['done(true)', ({ done }) => done(true)],
  ['a release taken off the client before', ({ release }) => release()],
];

const refusal = { code: 'STALE_LEASE', message: expect.stringContaining('Nothing was sent') as unknown };
const queries: readonly (readonly [style: string, query: (client: PoolClient) => Promise<unknown>])[] = [
  ['text', (client) => client.query("SELECT 'stale'")],
  ['config', (client) => client.query({ text: "SELECT $1 || 'stale'", values: ['a'] })],
  ['callback', (client) => callback((done) => client.query("SELECT 'stale'", done))],
  ['values and callback', (client) => callback((done) => client.query("SELECT $1 || 'stale'", ['a'], done))],
  ['cursor', (client) => client.query(new Cursor("SELECT 'stale'")).read(1)],
  ['COMMIT', (client) => client.query("COMMIT /* 'stale' */")],
];

describe.each(holders)('after the connection went to %s', (_who, hold) => {
  let stale: Stale;
  let holder: Holder;
  beforeEach(async () => {
    stale = await released();
    holder = await hold();
  });
  afterEach(() => db.truncate());

  /** Still on its connection, still able to use it, and the only one that can give it back. */
  async function expectHolderUntouched(): Promise<void> {
    expect(await holder.use()).toEqual([{ text: 'mine' }]);
    expect(managed.counts()).toMatchObject({ total: 1, inUse: 1, idle: 0 });
    await holder.end();
    expect(managed.counts()).toMatchObject({ total: 1, inUse: 0, idle: 1 });
  }

  test.each(releases)('%s throws LeaseReleasedError', async (_way, release) => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = thrownBy(() => release(stale));
      expect(error).toBeInstanceOf(LeaseReleasedError);
      expect(error).toMatchObject({ code: 'LEASE_RELEASED', retryable: false });
    }
    expect(log.numbered).toEqual(['acquired #1', 'lateUse #2', 'lateUse #2']);
    expect(log.events.at(-1)!.detail).toBe('release');
    await expectHolderUntouched();
  });

  test.each(queries)('a query is refused and not sent: %s', async (_style, query) => {
    const error: unknown = await query(stale.client).then(
      () => 'it was answered',
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(StaleLeaseError);
    expect(error).toMatchObject(refusal);
    expect(sent('stale')).toEqual([]);
    expect(log.numbered).toEqual(['acquired #1', 'lateUse #2']);
    expect(log.events.at(-1)!.detail).toBe('query');
    await expectHolderUntouched();
  });

  test.each([
    ['a promise', (client: PoolClient) => endOf(client)],
    ['a callback', (client: PoolClient) => callback((done) => endOf(client, done))],
  ])('client.end() is refused: %s', async (_style, end) => {
    await expect(end(stale.client)).rejects.toMatchObject({ code: 'STALE_LEASE' });
    expect(log.events.at(-1)!.detail).toBe('end');
    await expectHolderUntouched();
  });
});

describe('while the connection is idle', () => {
  test.each(releases)('a second release throws: %s', async (_way, release) => {
    const stale = await released();
    expect(thrownBy(() => release(stale))).toBeInstanceOf(LeaseReleasedError);
    expect(log.lines).toEqual(['lateUse client']);
    expect(managed.counts()).toMatchObject({ total: 1, idle: 1 });
  });

  test('a late query passes, and is reported', async () => {
    const { client } = await released();
    await expect(client.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
    expect(log.events).toMatchObject([{ event: 'lateUse', detail: 'query' }]);
  });

  test('a late query right after the release that handed the connection on is refused', async () => {
    const client = await pool.connect();
    const next = pool.connect();
    client.release();
    await expect(client.query("SELECT 'stale'")).rejects.toMatchObject(refusal);
    (await next).release();
    expect(sent('stale')).toEqual([]);
  });
});

describe('inside a transaction', () => {
  test('a second release of a client is refused; the transaction and its statements are untouched', async () => {
    await runInTransaction(async () => {
      const client = await pool.connect();
      await client.query("INSERT INTO entry (label) VALUES ('first')");
      client.release();
      expect(thrownBy(() => client.release())).toMatchObject({ code: 'LEASE_RELEASED' });
      await pool.query("INSERT INTO entry (label) VALUES ('second')");
    });
    expect(await db.query('SELECT label FROM entry ORDER BY id')).toEqual([
      { label: 'first' },
      { label: 'second' },
    ]);
    await db.truncate();
  });

  const broken = new Error('broken');
  test.each<[how: string, release: (client: PoolClient, done: Stale['done']) => void, because: object]>([
    ['release(error)', (client) => client.release(broken), broken],
    ['release(true)', (client) => client.release(true), { message: 'its holder released it as broken' }],
    ["the callback's done(error)", (_, done) => done(broken), broken],
  ])(
    '%s: the transaction goes on and commits, its connection is closed then',
    async (_, release, because) => {
      const pid = await runInTransaction(async () => {
        const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        await callback((settled) =>
          pool.connect((error, client, done) => {
            if (client) release(client, done);
            settled(error);
          }),
        );
        expect(managed.counts()).toMatchObject({ total: 1, inUse: 1 });
        await pool.query("INSERT INTO entry (label) VALUES ('kept')");
        return rows[0]!.pid;
      });
      expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'kept' }]);
      expect(managed.counts()).toMatchObject({ total: 0 });
      expect(log.lines).toEqual(['acquired transaction', 'destroyed transaction']);
      expect(log.events.at(-1)!.detail).toMatchObject(because);
      const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      expect(rows[0]!.pid).not.toBe(pid);
      await db.truncate();
    },
  );

  test('a client of a transaction that is over: its query is refused and not sent, its release is harmless', async () => {
    const client = await runInTransaction(() => pool.connect());
    const next = await pool.connect();
    await expect(client.query("SELECT 'stale'")).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' });
    client.release();
    expect(sent('stale')).toEqual([]);
    expect(managed.counts()).toMatchObject({ total: 1, inUse: 1 });
    await expect(next.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
    next.release();
  });

  test('a client lent before the transaction stays outside it, and its stale holder is refused inside', async () => {
    const { client } = await released();
    await runInTransaction(async () => {
      await pool.query('SELECT 1');
      await expect(client.query("SELECT 'stale'")).rejects.toMatchObject(refusal);
      expect(thrownBy(() => client.release())).toMatchObject({ code: 'LEASE_RELEASED' });
    });
    expect(sent('stale')).toEqual([]);
  });
});

function thrownBy(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return 'nothing was thrown';
}

function callback(start: (done: (error: Error | null | undefined) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}

function endOf(client: PoolClient, done?: (error?: Error) => void): Promise<void> {
  return (client as unknown as { end(callback?: unknown): Promise<void> }).end(done);
}
