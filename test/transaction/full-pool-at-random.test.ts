import fc from 'fast-check';
import { CommitOutcomeUnknownError, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import { until } from '../conformance/observing.js';
import { LeaseLog } from '../connection/lease-log.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
beforeEach(() => db.truncate());

/** What a transaction does, and a call outside any. */
const KINDS = [
  'writes',
  'writes twice',
  'reads',
  'throws',
  'orphan',
  'nested',
  'new',
  'late',
  'plain',
  'nothing',
] as const;
type Kind = (typeof KINDS)[number];
/** Of themselves, without a fault: `new` where all connections wait for one more. */
const mayFail: ReadonlySet<Kind> = new Set(['throws', 'orphan', 'late', 'new']);

interface Faults {
  /** The COMMIT, counted from 1, at which the connection is lost; 0: none. */
  readonly cutAt: number;
  readonly action: 'cut-before' | 'cut-after';
}

const boom = new Error('boom');

test('whatever waits behind whatever: what is told of each is what is there', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.constantFrom(...KINDS), { minLength: 5, maxLength: 25 }),
      fc.record<Faults>({
        cutAt: fc.integer({ min: 0, max: 8 }),
        action: fc.constantFrom('cut-before', 'cut-after'),
      }),
      runAll,
    ),
    { numRuns: 60 },
  );
});

async function runAll(max: number, kinds: readonly Kind[], { cutAt, action }: Faults): Promise<void> {
  await db.truncate();
  const proxy = await db.proxy();
  const pool = db.pool({ connectionString: proxy.url(db.url), max });
  pool.on('error', () => undefined);
  const managed = managePool(pool);
  let commits = 0;
  if (cutAt > 0)
    proxy.arm(
      { [Symbol.search]: (text: string) => (text === 'COMMIT' && ++commits === cutAt ? 0 : -1) } as RegExp,
      { action },
    );
  const write = (label: string): Promise<unknown> =>
    pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);
  const works: Record<Kind, (label: string) => Promise<unknown>> = {
    writes: write,
    'writes twice': async (label) => {
      await write(label);
      await write(label);
    },
    reads: () => pool.query('SELECT count(*) FROM entry'),
    throws: async (label) => {
      await write(label);
      throw boom;
    },
    orphan: async (label) => {
      await write(label);
      await pool.query('INSERT INTO child (id, parent_id) VALUES ($1, 0)', [Number(label)]);
    },
    nested: async (label) => {
      await runInTransaction(() => write(`nested ${label}`), { propagation: 'NESTED' });
      await write(label);
    },
    new: async (label) => {
      await write(label);
      await runInTransaction(() => pool.query('SELECT 1'), { propagation: 'REQUIRES_NEW' });
    },
    late: async (label) => {
      await pool.query('SELECT pg_sleep(0.003)');
      await write(label);
    },
    plain: () => Promise.resolve(),
    nothing: () => Promise.resolve(),
  };

  const told = await Promise.all(
    kinds.map(async (kind, index) => {
      const label = String(index);
      if (kind === 'plain')
        return pool.query('SELECT 1').then(
          () => 'kept',
          () => 'kept',
        );
      const options = kind === 'late' ? { timeoutMs: 40 } : {};
      return runInTransaction(() => works[kind](label), options).then(
        () => 'kept',
        (error: unknown) => (error instanceof CommitOutcomeUnknownError ? 'unknown' : 'undone'),
      );
    }),
  );
  await until('all connections are back', () => pool.idleCount === pool.totalCount);
  expect(pool.waitingCount).toBe(0);
  expectNoOpenTransactions();
  const rows = await db.query<{ label: string; n: number }>(
    'SELECT label, count(*)::int AS n FROM entry GROUP BY label',
  );
  const there = new Map(rows.map(({ label, n }) => [label, n]));
  const perKind: Partial<Record<Kind, number>> = { reads: 0, plain: 0, nothing: 0, 'writes twice': 2 };
  const expected = kinds.map((kind, index) => {
    if (told[index] === 'unknown') return there.get(String(index)) ?? 0;
    return told[index] === 'kept' ? (perKind[kind] ?? 1) : 0;
  });
  expect(kinds.map((_, index) => there.get(String(index)) ?? 0)).toEqual(expected);
  // What nothing was in the way of is kept.
  const lost = kinds.filter((kind, index) => cutAt === 0 && !mayFail.has(kind) && told[index] !== 'kept');
  expect(lost).toEqual([]);
  unmanagePool(managed);
  await pool.end();
}

test('observers hear of the end of one lease before the begin of the next, and of nothing twice', async () => {
  const pool = db.pool({ max: 1 });
  const managed = managePool(pool);
  const log = new LeaseLog(managed);
  const write = (label: string): Promise<unknown> =>
    runInTransaction(() => pool.query('INSERT INTO entry (label) VALUES ($1)', [label]));
  await Promise.all(['one', 'two'].map(write));
  log.stop();
  unmanagePool(managed);
  expect(log.numbered).toEqual(['wait', 'acquired #1', 'returned #1', 'acquired #2', 'returned #2']);
  expect(log.events.map(({ end }) => end).filter(Boolean)).toEqual([
    { inTransaction: false },
    { inTransaction: false },
  ]);
});
