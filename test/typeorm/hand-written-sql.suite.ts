import type { DataSource, QueryRunner } from 'typeorm';
import { runInTransaction, TransactionControlError, UnexpectedRollbackError } from 'holdfast';
import { failureOf, signal } from '../conformance/observing.js';

export interface HandWrittenSqlSource {
  readonly dataSource: DataSource;
  /** The committed labels of `entry`, in order of insertion. */
  labels(): Promise<string[]>;
  /** Asks the client that `queryRunner.connect()` answers, where it is one of the transaction. */
  readonly askClient?: (client: unknown, sql: string) => Promise<unknown>;
}

const insert = (label: string): string => `INSERT INTO entry (label) VALUES ('${label}')`;

/** BEGIN, COMMIT and ROLLBACK as SQL through TypeORM, whichever the database. */
export function testHandWrittenSql(useSource: () => HandWrittenSqlSource): void {
  const source = useSource();
  const ask = (sql: string): Promise<unknown> => source.dataSource.query(sql);

  async function withRunner<T>(use: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const runner = source.dataSource.createQueryRunner();
    try {
      return await use(runner);
    } finally {
      await runner.release();
    }
  }

  /** Each is the call of a QueryRunner of its own. */
  const calls: Record<string, (sql: string) => Promise<unknown>> = {
    'dataSource.query()': ask,
    'manager.query()': (sql) => source.dataSource.manager.query(sql),
    'query() of a QueryRunner': (sql) => withRunner((runner) => runner.query(sql)),
  };

  describe.each(Object.keys(calls))('%s', (name) => {
    const call = calls[name]!;

    test.each(['COMMIT', 'ROLLBACK', '/* a comment */ COMMIT', '-- a line\n ROLLBACK'])(
      '%j alone is refused, and the transaction goes on',
      async (sql) => {
        await runInTransaction(
          async () => {
            await ask(insert('before'));
            const error = await failureOf(call(sql));
            expect(error).toBeInstanceOf(TransactionControlError);
            expect((error as Error).message).toMatch(
              /(COMMIT|ROLLBACK) without a .* would end the transaction of "Orders.place" around it; it was not sent/,
            );
            await ask(insert('after'));
          },
          { name: 'Orders.place' },
        );
        expect(await source.labels()).toEqual(['before', 'after']);
      },
    );

    /** One branch begins and ends while the other has written in between. */
    async function besideAnother(
      end: 'COMMIT' | 'ROLLBACK',
      ended: (end: Promise<unknown>) => Promise<unknown>,
    ) {
      const [begun, written] = [signal(), signal()];
      await Promise.all([
        (async () => {
          await call('BEGIN');
          begun.send();
          await written.sent;
          await ended(call(end));
        })(),
        (async () => {
          await begun.sent;
          await ask(insert('beside'));
          written.send();
        })(),
      ]);
    }

    test.each(['COMMIT', 'ROLLBACK'] as const)(
      'BEGIN and %s, each by itself, end nothing that another branch has written in',
      async (end) => {
        await runInTransaction(() =>
          besideAnother(end, async (ending) => {
            expect(await failureOf(ending)).toBeInstanceOf(TransactionControlError);
          }),
        );
        expect(await source.labels()).toEqual(['beside']);
      },
    );

    test('the refusal, let through, rolls back', async () => {
      const called = runInTransaction(() => besideAnother('ROLLBACK', (ending) => ending));
      expect(await failureOf(called)).toMatchObject({ code: 'TRANSACTION_CONTROL' });
      expect(await source.labels()).toEqual([]);
    });

    test.each(['COMMIT', 'ROLLBACK'])('%s does not end the transaction that another began', async (end) => {
      await runInTransaction(() =>
        withRunner(async (runner) => {
          await runner.query('BEGIN');
          await runner.query(insert('by hand'));
          expect(await failureOf(call(end))).toBeInstanceOf(TransactionControlError);
          await runner.query('COMMIT');
        }),
      );
      expect(await source.labels()).toEqual(['by hand']);
    });
  });

  /** What hand-written code begins and ends its transaction with. */
  const styles: Record<string, (runner: QueryRunner) => Promise<(sql: string) => Promise<unknown>>> = {
    'query() of one QueryRunner': async (runner) => (sql) => runner.query(sql),
    'the manager of one QueryRunner': async (runner) => (sql) => runner.manager.query(sql),
    'dataSource.query() with one QueryRunner': async (runner) => (sql) =>
      source.dataSource.query(sql, [], runner),
    'the client of one QueryRunner': async (runner) => {
      const client: unknown = await runner.connect();
      const { askClient } = source;
      return askClient ? (sql) => askClient(client, sql) : (sql) => runner.query(sql);
    },
  };

  describe.each(Object.keys(styles))('BEGIN through %s', (style) => {
    const byHand = (work: (hand: (sql: string) => Promise<unknown>) => Promise<unknown>): Promise<unknown> =>
      withRunner(async (runner) => work(await styles[style]!(runner)));

    test('and ROLLBACK undoes its own work, and no more', async () => {
      await runInTransaction(async () => {
        await ask(insert('before'));
        await byHand(async (hand) => {
          await hand(insert('before it on the same'));
          await hand('-- by hand\n BEGIN');
          await hand(insert('undone'));
          await hand('/* by hand */ ROLLBACK');
          await hand(insert('after it on the same'));
        });
        await ask(insert('after'));
      });
      const kept = ['before', 'before it on the same', 'after it on the same', 'after'];
      expect(await source.labels()).toEqual(kept);
    });

    test('and COMMIT keeps its work, and what came beside it', async () => {
      await runInTransaction(() =>
        byHand(async (hand) => {
          await hand('BEGIN');
          await hand(insert('by hand'));
          await ask(insert('beside'));
          await hand('COMMIT');
        }),
      );
      expect(await source.labels()).toEqual(['by hand', 'beside']);
    });

    test('and ROLLBACK cannot take what another branch was told is done: the transaction is refused', async () => {
      const called = runInTransaction(async () => {
        const [begun, written] = [signal(), signal()];
        await Promise.all([
          byHand(async (hand) => {
            await hand('BEGIN');
            begun.send();
            await written.sent;
            await hand('ROLLBACK');
          }),
          begun.sent.then(() => ask(insert('beside'))).then(() => written.send()),
        ]);
      });
      expect(await failureOf(called)).toBeInstanceOf(UnexpectedRollbackError);
      expect(await source.labels()).toEqual([]);
    });

    test('that release() finds open is rolled back', async () => {
      await runInTransaction(async () => {
        await ask(insert('before'));
        await byHand(async (hand) => {
          await hand('BEGIN');
          await hand(insert('undone'));
        });
        await ask(insert('after'));
      });
      expect(await source.labels()).toEqual(['before', 'after']);
    });

    test('that release() finds open cannot take what another was told is done', async () => {
      const called = runInTransaction(() =>
        byHand(async (hand) => {
          await hand('BEGIN');
          await ask(insert('beside'));
        }),
      );
      expect(await failureOf(called)).toBeInstanceOf(UnexpectedRollbackError);
      expect(await source.labels()).toEqual([]);
    });

    test('begins and ends in the order of asking, awaited or not', async () => {
      await runInTransaction(() =>
        byHand((hand) =>
          Promise.all(['BEGIN', insert('inside'), 'ROLLBACK', insert('behind')].map((sql) => hand(sql))),
        ),
      );
      expect(await source.labels()).toEqual(['behind']);
    });

    test('is a savepoint beside SAVEPOINT and ROLLBACK TO by hand', async () => {
      await runInTransaction(() =>
        byHand(async (hand) => {
          await hand(insert('before'));
          await hand('SAVEPOINT a');
          await hand(insert('undone'));
          await hand('BEGIN');
          await hand(insert('undone as well'));
          await hand('COMMIT');
          await hand('ROLLBACK TO SAVEPOINT a');
          await hand(insert('after'));
          await hand('RELEASE SAVEPOINT a');
        }),
      );
      expect(await source.labels()).toEqual(['before', 'after']);
    });
  });

  test('BEGIN as SQL and startTransaction() are one thing to their QueryRunner', async () => {
    await runInTransaction(() =>
      withRunner(async (runner) => {
        await runner.query('BEGIN');
        await runner.query(insert('undone'));
        await runner.rollbackTransaction();
        await runner.startTransaction();
        await runner.query(insert('undone'));
        await runner.query('ROLLBACK');
        await runner.query('BEGIN');
        await runner.query(insert('kept'));
        await runner.commitTransaction();
      }),
    );
    expect(await source.labels()).toEqual(['kept']);
  });

  test('BEGIN without an end inside dataSource.transaction() is told', async () => {
    const called = runInTransaction(() =>
      source.dataSource.transaction(async (manager) => {
        await manager.query('BEGIN');
        await manager.query(insert('by hand'));
      }),
    );
    expect(await failureOf(called)).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringMatching(/neither committed nor rolled back/),
    });
    expect(await source.labels()).toEqual([]);
  });

  test('outside a transaction BEGIN is the server’s', async () => {
    await withRunner(async (runner) => {
      for (const end of ['ROLLBACK', 'COMMIT']) {
        await runner.query('BEGIN');
        await runner.query(insert(end));
        await runner.query(end);
      }
    });
    expect(await source.labels()).toEqual(['COMMIT']);
  });
}
