import type { Socket } from 'node:net';
import { Client, type ClientConfig, type Pool, type PoolConfig } from 'pg';
import {
  managePool,
  runInTransaction,
  unmanagePool,
  type Clock,
  type ManagedPool,
  type Timer,
} from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { PgSession } from '../../src/connection/drivers/pg/pg-session.js';
import type { PgClient, PgPool } from '../../src/connection/drivers/pg/pg-types.js';
import { until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
afterEach(() => db.truncate());

/** A clock that stands still, and knows what waits for it. */
class CountingClock implements Clock {
  readonly #clock = new ManualClock();
  readonly waiting = new Set<Timer>();
  started = 0;

  now(): number {
    return this.#clock.now();
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    this.started += 1;
    const inner = this.#clock.setTimer(() => (this.waiting.delete(timer), callback()), delayMs);
    const timer = { clear: () => (this.waiting.delete(timer), inner.clear()) };
    this.waiting.add(timer);
    return timer;
  }

  advance(byMs: number): void {
    this.#clock.advance(byMs);
  }
}

let clock: CountingClock;
let pool: Pool;
let managed: ManagedPool;
/** Every client that the pool, or holdfast for it, has made. */
let clients: (Client & { readonly connection: { readonly stream: Socket } })[];

function open(options: PoolConfig = {}): void {
  clock = new CountingClock();
  clients = [];
  class Watched extends Client {
    constructor(config?: ClientConfig) {
      super(config);
      clients.push(this as Client as (typeof clients)[number]);
    }
  }
  pool = db.pool({ max: 1, Client: Watched, ...options });
  managed = managePool(pool, { clock });
  db.defer(() => unmanagePool(managed));
}

const unsendable: readonly (readonly [what: string, value: unknown])[] = [
  ['a BigInt in an array of JSON', { list: [1n] }],
  [
    'an object whose toPostgres throws',
    {
      toPostgres() {
        throw new Error('cannot be sent');
      },
    },
  ],
];

describe.each(unsendable)('%s as a value', (_what, value) => {
  test.each(['first', 'second'])('of the %s statement leaves no timer behind', async (which) => {
    open();
    const waiting: number[] = [];
    await runInTransaction(async () => {
      if (which === 'second') await pool.query('SELECT 1');
      await expect(pool.query('SELECT $1', [value])).rejects.toThrow(/BigInt|cannot be sent/);
      waiting.push(clock.waiting.size);
    });
    expect([clock.started, ...waiting]).toEqual([1, 0]);
    expect(managed.counts()).toMatchObject({ total: 1, idle: 1 });
  });
});

describe('a cancel request', () => {
  /** Runs into its time limit while its statement waits for the account; `letGo` ends that wait. */
  const overdue = async (): Promise<{ call: Promise<unknown>; letGo: () => Promise<unknown> }> => {
    const blocker = await db.client();
    await blocker.query('BEGIN; LOCK TABLE account');
    const call = runInTransaction(() => pool.query('SELECT FROM account'), { timeoutMs: 20 });
    call.catch(() => undefined);
    return { call, letGo: () => blocker.query('COMMIT') };
  };

  test('that could not leave does not cost the connection, once its statement has ended', async () => {
    const proxy = await db.proxy();
    open({ connectionString: proxy.url(db.url) });
    await pool.query('SELECT 1');
    await proxy.refuse();
    const { call, letGo } = await overdue();
    await until('the request to fail', () => clients[1]?.connection.stream.destroyed === true);
    await letGo();

    await expect(call).rejects.toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    expect(managed.counts()).toMatchObject({ total: 1, idle: 1 });
    expect(clock.waiting.size).toBe(0);
  });

  test('of which nobody knows when it will arrive costs the connection', async () => {
    open();
    await pool.query('SELECT 1');
    const hole = await db.proxy();
    hole.blackHole();
    Object.assign(clients[0]!, { port: Number(new URL(hole.url(db.url)).port) });
    const { call, letGo } = await overdue();
    await until('the request to leave', () => (clients[1]?.connection.stream.bytesWritten ?? 0) > 0);
    clock.advance(2000);
    await letGo();

    await expect(call).rejects.toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    expect(managed.counts()).toMatchObject({ total: 0 });
  });
});

test('the outcome of a COMMIT is asked for no longer than the limit, also by the last attempt', async () => {
  const proxy = await db.proxy();
  open({ connectionString: proxy.url(db.url) });
  await proxy.refuse();
  const outcome = managed.settle('1');
  // The limit, and the pause before the second attempt.
  await until('the first attempt to fail', () => clock.started === 2);
  await proxy.heal();
  proxy.blackHole();
  clock.advance(5000);

  expect(await outcome).toBe('unknown');
  expect(clock.waiting.size).toBe(0);
});

describe('the answer to COMMIT', () => {
  test.each([
    ['COMMIT', 'INSERT INTO entry (label) VALUES (1)', { kind: 'committed' }],
    ['ROLLBACK, which is no error', 'SELECT 1/0', { kind: 'rolled back', error: undefined }],
  ])('is read: %s', async (_, statement, answer) => {
    const plain = db.pool({ max: 1 });
    const client = await plain.connect();
    const session = new PgSession(client as unknown as PgClient, {
      pool: plain as unknown as PgPool,
      clock: new ManualClock(),
      onRest: () => undefined,
    });
    await session.control('BEGIN');
    await session.control(statement).catch(() => undefined);

    expect(await session.commit()).toEqual(answer);
    session.detach();
    client.release();
  });
});
