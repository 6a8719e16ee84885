import type { Pool } from 'pg';
import {
  afterCompletion,
  CommitOutcomeUnknownError,
  ConnectionLostError,
  managePool,
  type ManagedPool,
  runInTransaction,
  TransactionTimeoutError,
  unmanagePool,
} from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import { failureOf, labelsIn, until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { defaultSchema } from '../harness/schema.js';
import { useLog } from './log.js';

/**
 * A transaction that waits in line has its first statement written behind the COMMIT of the one that gives it its connection.
 * Here each pool has one connection, so that whoever waits is next.
 */
const GATE = 4711;
const db = useDatabase({
  schema: `${defaultSchema}
    CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(${GATE}); RETURN NEW; END $$;
    CREATE CONSTRAINT TRIGGER entry_gate AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN (NEW.label LIKE 'slow%') EXECUTE FUNCTION wait_at_gate();
  `,
});
const log = useLog();
let proxy: FaultProxy;
let pool: Pool;
let managed: ManagedPool | undefined;
let told: string[];

/** In place of the one before. */
const poolOf = (options: object = {}): Pool => {
  if (managed) unmanagePool(managed);
  pool = db.pool({ connectionString: proxy.url(db.url), max: 1, ...options });
  managed = managePool(pool);
  return pool;
};

beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
  await poolOf().query('SELECT 1');
  proxy.forget();
  told = [];
});

const write = (label: string, on: Pool = pool): Promise<unknown> =>
  on.query('INSERT INTO entry (label) VALUES ($1)', [label]);
const insert = (label: string, options: object = {}): Promise<unknown> =>
  runInTransaction(
    () => {
      afterCompletion((outcome) => void told.push(`${label} ${outcome}`));
      return write(label);
    },
    { name: label, ...options },
  );
/** As long as it is closed, COMMIT of an entry that is called slow waits at the server. */
async function closeGate(): Promise<() => Promise<void>> {
  const keeper = await db.client();
  await keeper.query('SELECT pg_advisory_lock($1)', [GATE]);
  return async () => void (await keeper.query('SELECT pg_advisory_unlock($1)', [GATE]));
}
const waitsAtGate = (): Promise<void> =>
  until('COMMIT at the gate', async () => {
    const [row] = await db.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND objid = ${GATE} AND NOT granted`,
    );
    return row!.n === 1;
  });
/** How many of these have reached the server, or wait in front of it. */
const seen = (text: RegExp): number => proxy.texts.filter((each) => text.test(each)).length;

async function expectUsable(on: Pool = pool): Promise<void> {
  await write('usable', on);
  expect((await on.query('SELECT pg_current_xact_id_if_assigned() AS id')).rows).toEqual([{ id: null }]);
  expectNoOpenTransactions();
  expect([on.totalCount, on.idleCount, on.waitingCount]).toEqual([1, 1, 0]);
}

test('the first statement of the next in line travels with COMMIT', async () => {
  await Promise.all([insert('one'), insert('two'), insert('three')]);

  const each = ['BEGIN', 'SELECT pg_current_xact_id()', 'INSERT INTO entry (label) VALUES ($1)', 'COMMIT'];
  expect(proxy.texts).toEqual([...each, ...each, ...each]);
  expect(proxy.flights).toBe(4);
  expect(await labelsIn(db)).toEqual(['one', 'two', 'three']);
  expect(told).toEqual(['one committed', 'two committed', 'three committed']);
  await expectUsable();
});

test('where nobody waits, COMMIT goes alone', async () => {
  await insert('one');
  await insert('two');
  expect(proxy.flights).toBe(4);
});

test('a COMMIT that is refused is told to its own transaction, and the one behind it goes on', async () => {
  const refused = runInTransaction(
    async () => {
      afterCompletion((outcome) => void told.push(`orphan ${outcome}`));
      await write('orphan');
      await pool.query('INSERT INTO child (id, parent_id) VALUES (1, 1)');
    },
    { name: 'orphan' },
  );
  const behind = insert('behind');

  expect(await failureOf(refused)).toMatchObject({ code: '23503' });
  await behind;
  expect(proxy.flights).toBe(4);
  expect(await labelsIn(db)).toEqual(['behind']);
  expect(told).toEqual(['orphan rolled back', 'behind committed']);
  await expectUsable();
});

test.each([
  ['cut-after', 'committed', undefined],
  ['cut-before', 'rolled back', 'COMMIT_FAILED'],
] as const)('a connection that is lost at COMMIT (%s) is told to both', async (action, outcome, code) => {
  proxy.once(/^COMMIT$/, { action });
  const ahead = insert('ahead').then(
    () => undefined,
    (error: unknown) => error,
  );
  const behind = insert('behind');

  const lost = await failureOf(behind);
  expect(lost).toBeInstanceOf(ConnectionLostError);
  expect(lost).toMatchObject({ retryable: true });
  expect(((await ahead) as { code?: string } | undefined)?.code).toBe(code);
  expect(told.toSorted()).toEqual([`ahead ${outcome}`, 'behind rolled back']);
  expect(await labelsIn(db)).toEqual(outcome === 'committed' ? ['ahead'] : []);
  await expectUsable();
});

test('with retry, the one behind a lost connection runs again', async () => {
  proxy.once(/^COMMIT$/, { action: 'cut-after' });
  await Promise.all([
    insert('ahead'),
    insert('behind', {
      retry: { attempts: 2, backoffMs: 1, on: (error: unknown) => error instanceof ConnectionLostError },
    }),
  ]);
  expect(await labelsIn(db)).toEqual(['ahead', 'behind']);
});

test('a timeout behind a COMMIT that takes long cancels nothing of it', async () => {
  const open = await closeGate();
  const ahead = insert('slow');
  const behind = insert('behind', { timeoutMs: 300 });
  await waitsAtGate();

  const timeout = await failureOf(behind);
  expect(timeout).toBeInstanceOf(TransactionTimeoutError);
  expect(timeout.message).toMatch(
    /waited for the COMMIT of the transaction that had its connection before.*\(connection pid \d+ of pool "default"\)/,
  );
  await waitsAtGate();
  await open();
  await ahead;
  expect(told.toSorted()).toEqual(['behind rolled back', 'slow committed']);
  await until('the connection is back', () => pool.idleCount === pool.totalCount);
  expect(await labelsIn(db)).toEqual(['slow']);
  await write('usable');
  expectNoOpenTransactions();
});

test('a timeout of the COMMIT itself costs the one behind it nothing', async () => {
  const open = await closeGate();
  const ahead = insert('slow', { timeoutMs: 300 });
  const behind = insert('behind');
  await waitsAtGate();

  // The server says that it is in progress, still.
  expect(await failureOf(ahead)).toBeInstanceOf(CommitOutcomeUnknownError);
  expect(told).toEqual(['slow unknown']);
  await open();
  await behind;
  expect(told).toEqual(['slow unknown', 'behind committed']);
  expect(await labelsIn(db)).toEqual(['slow', 'behind']);
  await expectUsable();
});

test('nobody is passed over: a query that waits longer has its turn first, when COMMIT is answered', async () => {
  const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
  const ahead = insert('ahead');
  const query = pool.query('SELECT 2');
  const behind = insert('behind');
  await commit.fired;
  expect(seen(/SELECT 2|^BEGIN/)).toBe(1);
  commit.release();
  await Promise.all([ahead, query, behind]);
  expect(proxy.texts.filter((text) => /SELECT 2|COMMIT|BEGIN/.test(text))).toEqual([
    'BEGIN',
    'COMMIT',
    'SELECT 2',
    'BEGIN',
    'COMMIT',
  ]);
});

test('one that a transaction waits for is never put behind a COMMIT: that may wait for the same transaction', async () => {
  const two = poolOf({ max: 2 });
  const open = await closeGate();
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const slow = runInTransaction(async () => {
    await write('slow', two);
    await begun;
  });
  const outer = runInTransaction(async () => {
    await write('outer', two);
    const inner = runInTransaction(() => write('inner', two), { propagation: 'REQUIRES_NEW' });
    await until('it waits in line', () => two.waitingCount === 1);
    begin();
    await waitsAtGate();
    expect(seen(/^BEGIN$/)).toBe(2);
    await open();
    await inner;
  });
  await Promise.all([slow, outer]);
  expect((await labelsIn(db)).toSorted()).toEqual(['inner', 'outer', 'slow']);
});

test('where another connection is idle, nobody is put behind a COMMIT', async () => {
  const two = poolOf({ max: 2 });
  await Promise.all([two.query('SELECT 1'), two.query('SELECT 1')]);
  let end = (): void => undefined;
  const ahead = runInTransaction(async () => {
    await write('ahead', two);
    await new Promise<void>((resolve) => (end = resolve));
  });
  await until('it holds one of them', () => seen(/^INSERT/) === 1);
  const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
  end();
  // In the same turn of the event loop: pg-pool hands an idle connection over in the next.
  await runInTransaction(() => write('beside', two));
  commit.release();
  await ahead;
  expect((await labelsIn(db)).toSorted()).toEqual(['ahead', 'beside']);
});

test('a COMMIT that is refused leaves a savepoint of the one behind it alone', async () => {
  for (let round = 0; round < 10; round++) {
    const refused = runInTransaction(() => pool.query('INSERT INTO child (id, parent_id) VALUES (1, 1)'));
    const behind = runInTransaction(async () => {
      const nested = runInTransaction(() => pool.query('SELECT 1/0'), { propagation: 'NESTED' });
      expect(await failureOf(nested)).toMatchObject({ code: '22012' });
      await write(`behind ${round}`);
      return (await pool.query('SELECT pg_current_xact_id_if_assigned() AS id')).rows as { id: string }[];
    });
    expect(await failureOf(refused)).toMatchObject({ code: '23503' });
    expect(await behind).toEqual([{ id: expect.any(String) }]);
  }
  expect(await labelsIn(db)).toHaveLength(10);
  await expectUsable();
});

test('one that gave up waiting is not lent anything', async () => {
  let end = (): void => undefined;
  const ahead = runInTransaction(async () => {
    await write('ahead');
    await new Promise<void>((resolve) => (end = resolve));
  });
  await until('it holds the connection', () => seen(/^INSERT/) === 1);
  expect(await failureOf(insert('gave up', { timeoutMs: 20 }))).toBeInstanceOf(TransactionTimeoutError);
  const behind = insert('behind');
  end();
  await Promise.all([ahead, behind]);
  expect(await labelsIn(db)).toEqual(['ahead', 'behind']);
  await expectUsable();
});

test('a connection is closed after maxUses, and when it has lived long enough, as ever', async () => {
  const used = poolOf({ maxUses: 2 });
  const before = proxy.connectionCounts.accepted;
  const into = (label: string): Promise<unknown> => runInTransaction(() => write(label, used));
  await Promise.all(['1', '2', '3', '4', '5', '6'].map(into));
  expect(proxy.connectionCounts.accepted - before).toBe(3);

  const old = poolOf();
  await old.query('SELECT 1');
  const [expired] = (old as unknown as { _clients: object[] })._clients;
  (old as unknown as { _expired: WeakSet<object> })._expired.add(expired!);
  await Promise.all(['7', '8'].map((label) => runInTransaction(() => write(label, old))));
  expect(proxy.connectionCounts.accepted - before).toBe(3 + 2);
  expect((await labelsIn(db)).length).toBe(8);
});

test('a pool that ends meanwhile ends when both have their answers', async () => {
  const own = poolOf();
  const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
  const ahead = runInTransaction(() => write('ahead', own));
  const behind = runInTransaction(() => write('behind', own));
  await commit.fired;
  const ended = own.end();
  commit.release();
  await Promise.all([ahead, behind, ended]);
  expect(await labelsIn(db)).toEqual(['ahead', 'behind']);
});

test('one that takes the connection and asks nothing does not take COMMIT with it', async () => {
  const own = poolOf();
  const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
  const ahead = runInTransaction(() => write('ahead', own));
  const behind = runInTransaction(async () => {
    const client = await own.connect();
    client.release();
  });
  await commit.fired;
  await behind;
  const ended = own.end();
  commit.release();
  await Promise.all([ahead, ended]);
  expect(await labelsIn(db)).toEqual(['ahead']);
  // Not even a connection that is lost, and a COMMIT that is asked after.
  expect(log.warnings).toEqual([]);
});
