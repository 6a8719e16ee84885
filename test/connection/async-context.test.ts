import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { currentTransaction, managePool, runInTransaction, unmanagePool, type ManagedPool } from 'holdfast';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
const caller = new AsyncLocalStorage<string>();
let pool: Pool;
let managed: ManagedPool;

function open(options: PoolConfig = {}): void {
  pool = db.pool({ max: 1, ...options });
  managed = managePool(pool);
}
afterEach(() => unmanagePool(managed));

const add = (label: string) => ({ text: 'INSERT INTO entry (label) VALUES ($1)', values: [label] });

/** Where a callback runs: whose call it belongs to, and in which transaction. */
const here = (): string =>
  `${caller.getStore() ?? 'nobody'} in ${currentTransaction()?.name ?? 'no transaction'}`;

type Way = (seen: (where: string) => void) => void;

const ways: readonly (readonly [way: string, ask: Way])[] = [
  [
    'connect(cb)',
    (seen) =>
      pool.connect((_error, _client, done) => {
        seen(here());
        done();
      }),
  ],
  ['query(text, cb)', (seen) => pool.query('SELECT 1', () => seen(here()))],
  ['query(text, values, cb)', (seen) => pool.query('SELECT $1::int', [1], () => seen(here()))],
  ['query(config, cb)', (seen) => pool.query({ text: 'SELECT 1' }, () => seen(here()))],
  ['a failing query(text, cb)', (seen) => pool.query('SELEC', () => seen(here()))],
  ['connect()', (seen) => void pool.connect().then((client) => (seen(here()), client.release()))],
  ['query(text)', (seen) => void pool.query('SELECT 1').then(() => seen(here()))],
];

describe.each(ways)('a request that waits: %s', (_way, ask) => {
  beforeEach(() => open());

  test.each([
    ['another call', async (client: PoolClient) => caller.run('releaser', () => client.release())],
    [
      'a transaction of another pool',
      async (client: PoolClient) => {
        const other = managePool(db.pool(), { name: 'other' });
        await runInTransaction(async () => client.release(), { dataSource: 'other', name: 'releasing' });
        unmanagePool(other);
      },
    ],
  ])('runs in the requester’s context when %s gives the connection back', async (_who, release) => {
    const client = await pool.connect();
    const seen = new Promise((resolve) => caller.run('requester', () => ask(resolve)));
    await release(client);
    expect(await seen).toBe('requester in no transaction');
  });

  test('runs in the requester’s context when a transaction of this pool gives the connection back', async () => {
    let seen: Promise<unknown> = Promise.resolve();
    const outside = AsyncLocalStorage.snapshot();
    await caller.run('releaser', () =>
      runInTransaction(
        async () => {
          await pool.query('SELECT 1');
          seen = new Promise((resolve) => outside(() => caller.run('requester', () => ask(resolve))));
        },
        { name: 'releasing' },
      ),
    );
    expect(await seen).toBe('requester in no transaction');
  });
});

test.each([
  ...ways.slice(0, 4).map((row) => [...row, { value: undefined }] as const),
  [...ways[4]!, { reason: { code: 'UNEXPECTED_ROLLBACK' } }] as const,
])('a request inside a transaction keeps its context: %s', async (_way, ask, outcome) => {
  open();
  let seen: unknown;
  const work = runInTransaction(
    async () => {
      seen = await new Promise((resolve) => caller.run('requester', () => ask(resolve)));
    },
    { name: 'asking' },
  );
  await expect(Promise.allSettled([work])).resolves.toMatchObject([outcome]);
  expect(seen).toBe('requester in asking');
});

describe('listeners that were there before the transaction', () => {
  const poolEvents = ['connect', 'acquire', 'release', 'remove'] as const;

  test.each([
    ['a transaction that opens its connection and gives it back', {}],
    ['a transaction whose connection is closed at its return', { maxUses: 1 }],
  ])('events of the pool are in no transaction: %s', async (_what, options) => {
    open(options);
    const seen: string[] = [];
    for (const event of poolEvents) pool.on(event, () => seen.push(`${event}: ${here()}`));
    const removed = 'maxUses' in options ? once(pool, 'remove') : undefined;
    await runInTransaction(() => pool.query('SELECT 1'), { name: 'using' });
    await removed;
    const expected = ['connect', 'acquire', 'release', ...(removed ? ['remove'] : [])];
    expect(seen).toEqual(expected.map((event) => `${event}: nobody in no transaction`));
  });

  test.each([
    ['a transaction', () => pool.query(add('used'))],
    [
      'a transaction inside another one',
      () => runInTransaction(() => pool.query(add('used')), { propagation: 'REQUIRES_NEW' }),
    ],
    [
      'a client that was lent before and is released inside a transaction',
      async (lent: PoolClient) => {
        await pool.query(add('used'));
        lent.release();
      },
    ],
  ])(
    'a listener of release that asks the pool is served outside every transaction: %s',
    async (_who, use) => {
      open({ max: 4 });
      const lent = await pool.connect();
      const asked: Promise<unknown>[] = [];
      const ask = (): void => {
        asked.push(Promise.resolve(here()), pool.query(add('by listener')));
      };
      pool.once('release', ask);
      await expect(
        runInTransaction(
          async () => {
            await use(lent);
            throw new Error('undone');
          },
          { name: 'undone' },
        ),
      ).rejects.toThrow('undone');
      const [where] = await Promise.all(asked);
      expect(where).toBe('nobody in no transaction');
      expect(await db.query("SELECT label FROM entry WHERE label = 'by listener'")).toHaveLength(1);
      await db.truncate();
      if (managed.leases().length > 0) lent.release();
    },
  );

  test('hooks of a connection that a transaction opens are outside it', async () => {
    const seen: string[] = [];
    const onConnect = async (): Promise<void> => void seen.push(`onConnect: ${here()}`);
    const verify = (_client: PoolClient, done: () => void): void => {
      seen.push(`verify: ${here()}`);
      done();
    };
    open(Object.assign({}, { onConnect, verify }));
    await runInTransaction(() => pool.query('SELECT 1'), { name: 'opening' });
    expect(seen).toEqual(['onConnect: nobody in no transaction', 'verify: nobody in no transaction']);
  });

  test.each([
    ['a transaction', () => runInTransaction(() => pool.query('SELECT 1'), { name: 'opening' })],
    [
      'a statement outside the transaction, made within it',
      () =>
        runInTransaction(
          () => runInTransaction(() => pool.query('SELECT 1'), { propagation: 'NOT_SUPPORTED' }),
          {
            name: 'opening',
          },
        ),
    ],
  ])('a connection that was opened by %s keeps nothing of it', async (_who, use) => {
    open();
    const seen: string[] = [];
    pool.on('connect', (client) => {
      client.on('notice', () => seen.push(`notice: ${here()}`));
      client.on('notification', () => seen.push(`notification: ${here()}`));
    });
    const failed = new Promise((resolve) => pool.once('error', () => resolve(seen.push(`error: ${here()}`))));
    await use();

    await pool.query("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
    const { rows } = await pool
      .query<{ pid: number }>('LISTEN news')
      .then(() => pool.query<{ pid: number }>("SELECT pg_backend_pid() AS pid, pg_notify('news', '')"));
    await pool.query('SELECT 1');
    await db.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
    await failed;
    expect(seen).toEqual(
      ['notice', 'notification', 'error'].map((event) => `${event}: nobody in no transaction`),
    );
  });

  test('the timer of an idle connection keeps nothing of the transaction that gave it back', async () => {
    open({ idleTimeoutMillis: 10 });
    const removed = new Promise((resolve) => pool.once('remove', () => resolve(here())));
    await runInTransaction(() => pool.query('SELECT 1'), { name: 'returning' });
    expect(await removed).toBe('nobody in no transaction');
  });

  test('a connection that replaces one which a transaction destroyed keeps nothing of it', async () => {
    open();
    const places: string[] = [];
    pool.on('connect', (client) => client.on('notice', () => places.push(here())));
    const outside = AsyncLocalStorage.snapshot();
    let next: Promise<PoolClient> | undefined;
    await expect(
      runInTransaction(
        async () => {
          await pool.query('SELECT 1');
          next = outside(() => pool.connect());
          const [{ pid } = { pid: 0 }] = managed.leases().map(({ backendId }) => ({ pid: backendId }));
          await db.query('SELECT pg_terminate_backend($1)', [pid]);
          await pool.query('SELECT 1');
        },
        { name: 'destroyed' },
      ),
    ).rejects.toBeInstanceOf(Error);
    const client = await next!;
    await client.query("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
    client.release();
    expect(places).toEqual(['nobody in no transaction']);
  });
});
