import { CommitFailedError, runInTransaction } from 'holdfast';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { useDatabase } from '../harness/database.js';
import { type PoolMode, startPgbouncer } from '../harness/pgbouncer.js';
import { useLog } from '../transaction/log.js';
import { everyWay, failureOf, labelsIn, type WayIn, type Work } from './ways-in.js';

const db = useDatabase();
const log = useLog();
beforeEach(() => db.truncate());

const SESSIONS = 3;
const CALLERS = 20;
const boom = new Error('boom');
const refuse = (): never => {
  throw boom;
};

/** One way of each kind, once. */
const some = everyWay.filter(
  ({ way }, index) =>
    ['pool.connect()', 'TypeORM repository', 'Prisma client'].includes(way.name) &&
    everyWay.findIndex((other) => other.way === way) === index,
);
const modes: readonly PoolMode[] = ['transaction', 'session'];
const cells = modes.flatMap((mode) =>
  some.map(({ way }) => ({ name: `${way.name}, ${mode} mode`, way, mode })),
);

/** With more connections of the application than the pooler has sessions. */
async function start(way: WayIn, mode: PoolMode, { url = db.url, max = 6 } = {}): Promise<Work> {
  const pooler = await startPgbouncer(url, { mode, size: SESSIONS });
  db.defer(() => pooler.close());
  return way.start(db, { url: pooler.url, max: mode === 'session' ? SESSIONS : max });
}

describe.each(cells)('through PgBouncer: $name', ({ way, mode }) => {
  test('more transactions than sessions: each is whole, and is on one of them from its beginning to its end', async () => {
    const work = await start(way, mode);
    const numbers = Array.from({ length: CALLERS }, (_, number) => number);
    const seen = await Promise.all(
      numbers.map((number) =>
        runInTransaction(async () => {
          const before = [await work.txid(), await work.pid()];
          await work.insert(`${number} first`);
          await Promise.all([work.insert(`${number} second`), work.insert(`${number} third`)]);
          const after = [await work.txid(), await work.pid()];
          if (number % 2 === 1) refuse();
          return [before, after];
        }).catch((error: unknown) => error),
      ),
    );
    const kept = numbers.filter((number) => number % 2 === 0);
    for (const number of kept) {
      const [before, after] = seen[number] as [unknown, unknown];
      expect(after).toEqual(before);
    }
    expect(seen.filter((each) => each === boom)).toHaveLength(CALLERS / 2);
    const expected = kept.flatMap((number) =>
      ['first', 'second', 'third'].map((word) => `${number} ${word}`),
    );
    expect((await labelsIn(db)).sort()).toEqual(expected.sort());
  });

  test('a nested one is rolled back alone, and one that is new commits though the outer one does not', async () => {
    const work = await start(way, mode);
    await runInTransaction(async () => {
      await work.insert('outer');
      await runInTransaction(
        async () => {
          await work.insert('nested');
          refuse();
        },
        { propagation: 'NESTED' },
      ).catch(() => undefined);
    });
    const outcome = await failureOf(
      runInTransaction(async () => {
        await work.insert('undone');
        await runInTransaction(() => work.insert('new'), { propagation: 'REQUIRES_NEW' });
        refuse();
      }),
    );
    expect(outcome).toBe(boom);
    expect((await labelsIn(db)).sort()).toEqual(['new', 'outer']);
  });

  test('a time limit ends its own statement, and nothing of whoever has that session next', async () => {
    const work = await start(way, mode);
    const outcomes = await Promise.all(
      Array.from({ length: CALLERS }, (_, number) =>
        number % 4 === 0
          ? failureOf(runInTransaction(() => work.query('SELECT pg_sleep(30)'), { timeoutMs: 500 }))
          : runInTransaction(async () => {
              await work.insert(String(number));
              await work.query('SELECT pg_sleep(0.01)');
              return number;
            }),
      ),
    );
    const timedOut = expect.objectContaining({ code: 'TRANSACTION_TIMEOUT' });
    expect(outcomes).toEqual(outcomes.map((_, number) => (number % 4 === 0 ? timedOut : number)));
    expect(await labelsIn(db)).toHaveLength((CALLERS * 3) / 4);
    const still =
      "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep(30)%'";
    expect(await db.query(still)).toEqual([]);
  });

  describe('that loses its session at COMMIT', () => {
    let proxy: FaultProxy;
    beforeEach(async () => {
      proxy = await db.proxy();
    });

    test('after the server committed: settled, so the caller gets the result', async () => {
      const work = await start(way, mode, { url: proxy.url(db.url) });
      await work.txid();
      proxy.once(/^COMMIT$/, { action: 'cut-after' });
      const result = await runInTransaction(async () => {
        await work.insert('paid');
        return 'receipt';
      });
      expect(result).toBe('receipt');
      expect(await labelsIn(db)).toEqual(['paid']);
      expect(log.warnings.at(-1)![1]).toMatch(/lost during COMMIT of .*; outcome: committed$/);
    });

    test('before it reached the server: CommitFailedError, and nothing is kept', async () => {
      const work = await start(way, mode, { url: proxy.url(db.url) });
      await work.txid();
      proxy.once(/^COMMIT$/, { action: 'cut-before' });
      const error = await failureOf(runInTransaction(() => work.insert('unpaid')));
      expect(error).toBeInstanceOf(CommitFailedError);
      expect(await labelsIn(db)).toEqual([]);
    });
  });
});

test('in statement mode, where none can begin, what the pooler says reaches the caller', async () => {
  const work = await start(some[0]!.way, 'statement');
  const error = await failureOf(runInTransaction(() => work.insert('never')));
  expect(error.message).toMatch(/transaction blocks not allowed in statement pooling mode/);
  expect(await labelsIn(db)).toEqual([]);
});
