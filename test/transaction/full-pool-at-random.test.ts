import fc from 'fast-check';
import { CommitOutcomeUnknownError, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import { until } from '../conformance/observing.js';
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

const once = (label: string): Written => [[label, 1]];
const nothing = (): Written => [];
/** How often which row is there of a transaction that is kept. */
type Written = readonly (readonly [label: string, count: number])[];
const WRITTEN: Readonly<Record<Kind, (label: string) => Written>> = {
  writes: once,
  'writes twice': (label) => [[label, 2]],
  reads: nothing,
  throws: once,
  orphan: once,
  nested: (label) => [
    [label, 1],
    [`nested ${label}`, 1],
  ],
  new: once,
  late: once,
  plain: nothing,
  nothing,
};

interface Faults {
  /** The COMMIT, counted from 1, at which the connection is lost; 0: none. */
  readonly cutAt: number;
  readonly action: 'cut-before' | 'cut-after';
}

const boom = new Error('boom');

test('in a full pool, what is told of each transaction is what is there', async () => {
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
      const options = kind === 'late' ? { timeoutMs: 40 } : {};
      const called =
        kind === 'plain' ? pool.query('SELECT 1') : runInTransaction(() => works[kind](label), options);
      return called.then(
        () => 'kept' as const,
        (error: unknown) => (error instanceof CommitOutcomeUnknownError ? 'unknown' : 'undone'),
      );
    }),
  );
  await until('all connections are back', () => pool.idleCount === pool.totalCount);
  expect(pool.waitingCount).toBe(0);
  expectNoOpenTransactions();
  const rows = await db.query<{ label: string }>('SELECT label FROM entry');
  const rowsOf = (label: string): number => rows.filter((row) => row.label === label).length;
  kinds.forEach((kind, index) => {
    const whole = WRITTEN[kind](String(index));
    const none = whole.map(() => 0);
    const allowed = {
      kept: [whole.map(([, count]) => count)],
      undone: [none],
      unknown: [none, whole.map(([, count]) => count)],
    };
    expect(allowed[told[index]!]).toContainEqual(whole.map(([label]) => rowsOf(label)));
  });
  // What nothing was in the way of is kept.
  const lost = kinds.filter((kind, index) => cutAt === 0 && !mayFail.has(kind) && told[index] !== 'kept');
  expect(lost).toEqual([]);
  unmanagePool(managed);
  await pool.end();
}
