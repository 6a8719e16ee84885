import type { Pool } from 'pg';
import {
  CommitOutcomeUnknownError,
  managePool,
  type ManagedPool,
  runInTransaction,
  unmanagePool,
} from 'holdfast';
import { failureOf, labelsIn, until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { startPgbouncer } from '../harness/pgbouncer.js';
import { defaultSchema } from '../harness/schema.js';
import { useHandLimit } from './hand-limit.js';
import { useLog } from './log.js';

/**
 * The connection of a transaction is its own until its COMMIT is answered. It would save whoever is next in line a round trip to
 * be written behind COMMIT, and each of these promises would be broken.
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
useLog();
const limit = useHandLimit();
let proxy: FaultProxy;
let managed: ManagedPool;

beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
});
afterEach(() => unmanagePool(managed));

const unmanaged = (max: number, url: string): Pool => {
  const pool = db.pool({ connectionString: url, max });
  // The pooler ends before it does.
  pool.on('error', () => undefined);
  return pool;
};
const poolOf = (max: number, url = proxy.url(db.url)): Pool => {
  const pool = unmanaged(max, url);
  managed = managePool(pool);
  return pool;
};
const insert = (pool: Pool, label: string, options: object = {}): Promise<unknown> =>
  runInTransaction(() => pool.query('INSERT INTO entry (label) VALUES ($1)', [label]), options);

test('nothing of it is sent before the COMMIT in front is answered', async () => {
  const pool = poolOf(1);
  const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
  const first = insert(pool, 'first');
  const next = insert(pool, 'next');
  await commit.fired;
  expect(proxy.texts.filter((text) => text === 'BEGIN')).toHaveLength(1);
  commit.release();
  await Promise.all([first, next]);
  expect(proxy.texts.filter((text) => text === 'BEGIN')).toHaveLength(2);
});

test('a COMMIT that waits for a lock keeps nobody from the connections that come free', async () => {
  const pool = poolOf(3);
  const byHand = await pool.connect();
  await byHand.query('BEGIN');
  // What its COMMIT waits for: as a row does that a deferred foreign key leads to.
  await byHand.query('SELECT pg_advisory_xact_lock($1)', [GATE]);
  const ends: (() => void)[] = [];
  const hold = (label: string): Promise<void> =>
    runInTransaction(async () => {
      await pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const slow = hold('slow');
  await until('it holds a connection', () => ends.length === 1);
  const other = hold('other');
  await until('both do', () => ends.length === 2);
  const next = insert(pool, 'next');
  await until('it waits in line', () => pool.waitingCount === 1);

  ends[0]!();
  await until('COMMIT waits', async () => {
    const [row] = await db.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND objid = ${GATE} AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return row!.n === 1;
  });
  ends[1]!();
  // Whoever holds the lock may wait for it.
  await next;
  await byHand.query('COMMIT');
  byHand.release();
  await Promise.all([slow, other]);
  expect((await labelsIn(db)).toSorted()).toEqual(['next', 'other', 'slow']);
});

test('a COMMIT that is never answered costs it nothing, once that has timed out', async () => {
  const pool = poolOf(1);
  const commit = proxy.once(/^COMMIT$/, { action: 'black-hole' });
  const lost = failureOf(insert(pool, 'lost', { timeoutMs: limit.timeoutMs }));
  const next = insert(pool, 'next', { timeoutMs: 20_000 });
  await commit.fired;
  limit.pass();
  await next;
  expect(await lost).toBeInstanceOf(CommitOutcomeUnknownError);
  await proxy.heal();
  expect(await labelsIn(db)).toEqual(['next']);
});

test('behind PgBouncer in transaction mode no part of it reaches the session of somebody else', async () => {
  const pooler = await startPgbouncer(db.url, { mode: 'transaction', size: 2 });
  db.defer(() => pooler.close());
  const pool = poolOf(1, pooler.url);
  const others = unmanaged(3, pooler.url);
  let isOver = false;
  const ask = async (): Promise<void> => {
    while (!isOver) await others.query('SELECT 1');
  };
  const asking = [ask(), ask(), ask()];
  // Far more than the pooler passes on at once.
  const large = 'x'.repeat(300_000);
  for (let round = 0; round < 20; round++) {
    const [, answer] = await Promise.all([
      insert(pool, 'first'),
      runInTransaction(() => pool.query<{ length: number }>('SELECT length($1) AS length', [large])),
    ]);
    expect(answer.rows).toEqual([{ length: large.length }]);
  }
  isOver = true;
  await Promise.all(asking);
  expect(await labelsIn(db)).toHaveLength(20);
});
