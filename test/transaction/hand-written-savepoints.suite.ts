import {
  runInTransaction,
  SavepointOrderError,
  TransactionControlError,
  UnexpectedRollbackError,
} from 'holdfast';
import { failureOf, signal } from '../conformance/observing.js';
import { InnerTest } from '../testing/inner-test.js';

/** One client or QueryRunner, as hand-written code takes it. */
export interface Hand {
  query(sql: string): Promise<unknown>;
  release(): Promise<void> | void;
}

export interface SavepointSource {
  /** Takes one, in a transaction that is open. */
  take(): Promise<Hand>;
  /** Asks the pool or the data source, which serve each call by itself. */
  ask(sql: string): Promise<unknown>;
  /** The committed labels of `entry`, in order of insertion. */
  labels(): Promise<string[]>;
  /** Whether `rollbackPerTest()` works there. Default: it does. */
  readonly shares?: boolean;
  /** A statement that the server refuses. */
  readonly wrong: string;
}

const insert = (label: string): string => `INSERT INTO entry (label) VALUES ('${label}')`;

/** SAVEPOINT, ROLLBACK TO and RELEASE by hand inside a transaction, whichever the driver. */
export function testHandWrittenSavepoints(source: SavepointSource): void {
  const runInTest = (work: () => Promise<void>): Promise<void> => new InnerTest().run(work);
  async function withHand<T>(use: (hand: Hand) => Promise<T>): Promise<T> {
    const hand = await source.take();
    try {
      return await use(hand);
    } finally {
      await hand.release();
    }
  }
  const inOrder = async (hand: Hand, statements: readonly string[]): Promise<void> => {
    for (const sql of statements) await hand.query(sql);
  };

  test.each([
    ['SAVEPOINT a', 'ROLLBACK TO SAVEPOINT a', 'RELEASE SAVEPOINT a'],
    ['savepoint A;', 'rollback to a', 'Release Savepoint a ;'],
    ['/* by hand */ SAVEPOINT a -- here', '-- back\nROLLBACK TO /* its name */ a', 'RELEASE SAVEPOINT a'],
  ])('%s: %s undoes what came after it on the same client, and no more', async (set, undo, release) => {
    await runInTransaction(async () => {
      await source.ask(insert('before'));
      await withHand(async (hand) => {
        await inOrder(hand, [
          insert('1'),
          set,
          insert('undone'),
          undo,
          insert('2'),
          undo,
          insert('3'),
          release,
        ]);
      });
      await source.ask(insert('after'));
    });
    expect(await source.labels()).toEqual(['before', '1', '3', 'after']);
  });

  test('saves a transaction in which a statement has failed', async () => {
    await runInTransaction(() =>
      withHand(async (hand) => {
        await inOrder(hand, [insert('1'), 'SAVEPOINT a', insert('undone')]);
        expect(await failureOf(hand.query(source.wrong))).toBeInstanceOf(Error);
        await inOrder(hand, ['ROLLBACK TO SAVEPOINT a', insert('2')]);
      }),
    );
    expect(await source.labels()).toEqual(['1', '2']);
  });

  test('nested in one another end as on the server: an outer one takes the inner with it', async () => {
    await runInTransaction(() =>
      withHand(async (hand) => {
        await inOrder(hand, [
          'SAVEPOINT a',
          insert('1'),
          'SAVEPOINT b',
          insert('2'),
          'SAVEPOINT c',
          insert('3'),
        ]);
        await inOrder(hand, ['ROLLBACK TO SAVEPOINT b', insert('4'), 'RELEASE SAVEPOINT a']);
        for (const name of ['a', 'b', 'c']) {
          expect(await failureOf(hand.query(`ROLLBACK TO SAVEPOINT ${name}`))).toBeInstanceOf(
            TransactionControlError,
          );
        }
      }),
    );
    expect(await source.labels()).toEqual(['1', '4']);
  });

  test('that nobody releases ends with the transaction by hand, or with the method', async () => {
    await runInTransaction(() =>
      withHand(async (hand) => {
        await inOrder(hand, ['BEGIN', insert('1'), 'SAVEPOINT a', insert('2'), 'COMMIT']);
        await inOrder(hand, ['BEGIN', insert('undone'), 'SAVEPOINT a', insert('undone'), 'ROLLBACK']);
        await inOrder(hand, ['SAVEPOINT b', insert('3')]);
      }),
    );
    expect(await source.labels()).toEqual(['1', '2', '3']);
  });

  test('is set and undone in the order of asking, awaited or not', async () => {
    await runInTransaction(() =>
      withHand((hand) =>
        Promise.all(
          ['SAVEPOINT a', insert('undone'), 'ROLLBACK TO SAVEPOINT a', insert('kept')].map((sql) =>
            hand.query(sql),
          ),
        ),
      ),
    );
    expect(await source.labels()).toEqual(['kept']);
  });

  test('ROLLBACK TO cannot take what another branch was told is done: the transaction is refused', async () => {
    const called = runInTransaction(
      async () => {
        const [set, written] = [signal(), signal()];
        await Promise.all([
          withHand(async (hand) => {
            await inOrder(hand, ['SAVEPOINT a', insert('own')]);
            set.send();
            await written.sent;
            await hand.query('ROLLBACK TO SAVEPOINT a');
          }),
          set.sent.then(() => source.ask(insert('beside'))).then(() => written.send()),
        ]);
      },
      { name: 'Orders.place' },
    );
    const error = await failureOf(called);
    expect(error).toBeInstanceOf(UnexpectedRollbackError);
    expect((error as Error).message).toMatch(
      /"Orders.place" .* a hand-written SAVEPOINT a inside it was rolled back, and took work with it that was asked for elsewhere meanwhile \(INSERT\)/,
    );
    expect(await source.labels()).toEqual([]);
  });

  test('what another branch wrote stays where the savepoint is kept, and where it was written before', async () => {
    await runInTransaction(() =>
      withHand(async (hand) => {
        await inOrder(hand, ['SAVEPOINT a', insert('own')]);
        await source.ask(insert('beside'));
        await inOrder(hand, [
          'RELEASE SAVEPOINT a',
          'SAVEPOINT a',
          insert('undone'),
          'ROLLBACK TO SAVEPOINT a',
        ]);
      }),
    );
    expect(await source.labels()).toEqual(['own', 'beside']);
  });

  describe.each(['ROLLBACK TO SAVEPOINT a', 'RELEASE SAVEPOINT a'])('%s', (end) => {
    test.each(['another client', 'the pool'])('by %s is refused before it is sent', async (who) => {
      await runInTransaction(
        () =>
          withHand(async (hand) => {
            await inOrder(hand, ['SAVEPOINT a', insert('own')]);
            const error = await failureOf(
              who === 'the pool' ? source.ask(end) : withHand((other) => other.query(end)),
            );
            expect(error).toBeInstanceOf(TransactionControlError);
            expect((error as Error).message).toMatch(
              new RegExp(
                `^${end} without a SAVEPOINT a (on this client|on this connection|on this QueryRunner) would reach for what others began in "Orders.place"; it was not sent`,
              ),
            );
            await inOrder(hand, ['ROLLBACK TO SAVEPOINT a', insert('after')]);
          }),
        { name: 'Orders.place' },
      );
      expect(await source.labels()).toEqual(['after']);
    });

    test('inside a NESTED call that began after it is refused, and can come later', async () => {
      await runInTransaction(() =>
        withHand(async (hand) => {
          await inOrder(hand, [insert('1'), 'SAVEPOINT a']);
          await runInTransaction(
            async () => {
              await source.ask(insert('nested'));
              expect(await failureOf(hand.query(end))).toBeInstanceOf(SavepointOrderError);
            },
            { propagation: 'NESTED' },
          );
          await hand.query('RELEASE SAVEPOINT a');
        }),
      );
      expect(await source.labels()).toEqual(['1', 'nested']);
    });

    test.each(['SAVEPOINT a', 'SAVEPOINT b', 'BEGIN'])(
      'while %s of another is open in it is out of order, as with BEGIN: told, and nothing is kept',
      async (inner) => {
        const told: unknown[] = [];
        const called = runInTransaction(() =>
          withHand((hand) =>
            withHand(async (other) => {
              await inOrder(hand, ['SAVEPOINT a', insert('own')]);
              await inOrder(other, [inner, insert('beside')]);
              told.push(await failureOf(hand.query(end)));
              if (inner === 'BEGIN') await other.query('COMMIT');
            }),
          ),
        );
        expect(await failureOf(called)).toMatchObject({
          code: 'UNEXPECTED_ROLLBACK',
          cause: { code: 'SAVEPOINT_ORDER' },
        });
        expect(told).toEqual([expect.any(SavepointOrderError)]);
        expect(await source.labels()).toEqual([]);
      },
    );
  });

  test('of one name on two clients are two: each undoes its own', async () => {
    await runInTransaction(() =>
      withHand((hand) =>
        withHand(async (other) => {
          await inOrder(hand, ['SAVEPOINT a', insert('undone')]);
          await inOrder(other, ['SAVEPOINT a', 'ROLLBACK TO SAVEPOINT a', 'RELEASE SAVEPOINT a']);
          await inOrder(hand, ['ROLLBACK TO SAVEPOINT a', insert('kept')]);
        }),
      ),
    );
    expect(await source.labels()).toEqual(['kept']);
  });

  const inTest = async (): Promise<void> => {
    await runInTest(async () => {
      await runInTransaction(() =>
        withHand((hand) =>
          inOrder(hand, [insert('1'), 'SAVEPOINT a', insert('undone'), 'ROLLBACK TO a', insert('2')]),
        ),
      );
      const called = runInTransaction(() =>
        withHand(async (hand) => {
          await hand.query('SAVEPOINT a');
          await source.ask(insert('beside'));
          await hand.query('ROLLBACK TO SAVEPOINT a');
        }),
      );
      expect(await failureOf(called)).toBeInstanceOf(UnexpectedRollbackError);
      await withHand((hand) =>
        inOrder(hand, [
          'BEGIN',
          insert('3'),
          'SAVEPOINT a',
          insert('undone'),
          'ROLLBACK TO a',
          insert('4'),
          'COMMIT',
        ]),
      );
      const found = (await source.ask('SELECT label FROM entry ORDER BY id')) as unknown;
      expect(JSON.stringify(found).match(/"label":"[^"]*"/g)).toEqual(
        ['1', '2', '3', '4'].map((label) => `"label":"${label}"`),
      );
    });
    expect(await source.labels()).toEqual([]);
  };
  if (source.shares !== false) {
    test('are the same in a transaction of the application inside that of a test', inTest);
  }

  test('of a client that was released is nobody’s any more, and keeps its work', async () => {
    await runInTransaction(() =>
      withHand(async (hand) => {
        await inOrder(hand, ['BEGIN', insert('1')]);
        await withHand((other) => inOrder(other, ['SAVEPOINT a', insert('2')]));
        expect(await failureOf(hand.query('ROLLBACK TO SAVEPOINT a'))).toBeInstanceOf(
          TransactionControlError,
        );
        await hand.query('COMMIT');
      }),
    );
    expect(await source.labels()).toEqual(['1', '2']);
  });

  test.each(['holdfast_1', 'holdfast_2'])(
    'ROLLBACK TO %s, which is holdfast’s own, is refused',
    async (name) => {
      await runInTransaction(async () => {
        await source.ask(insert('outer'));
        await runInTransaction(
          () =>
            withHand(async (hand) => {
              await inOrder(hand, ['BEGIN', insert('nested')]);
              for (const verb of ['ROLLBACK TO', 'ROLLBACK TO SAVEPOINT', 'RELEASE SAVEPOINT']) {
                expect(await failureOf(hand.query(`${verb} ${name}`))).toBeInstanceOf(
                  TransactionControlError,
                );
              }
              await hand.query('COMMIT');
            }),
          { propagation: 'NESTED' },
        );
      });
      expect(await source.labels()).toEqual(['outer', 'nested']);
    },
  );

  test.each([
    ['SAVEPOINT a', 'BEGIN', 'ROLLBACK TO SAVEPOINT a'],
    ['SAVEPOINT a', 'BEGIN', 'RELEASE SAVEPOINT a'],
  ])('%s, %s, %s: a transaction by hand ends first, on one client as well', async (...statements) => {
    const called = runInTransaction(() => withHand((hand) => inOrder(hand, statements)));
    expect(await failureOf(called)).toBeInstanceOf(SavepointOrderError);
  });

  test('what ends a nested scope cannot be undone by a savepoint in it', async () => {
    await runInTransaction(() =>
      withHand(async (hand) => {
        await runInTransaction(() => inOrder(hand, ['SAVEPOINT a', insert('nested')]), {
          propagation: 'NESTED',
        });
        expect(await failureOf(hand.query('ROLLBACK TO SAVEPOINT a'))).toBeInstanceOf(
          TransactionControlError,
        );
      }),
    );
    expect(await source.labels()).toEqual(['nested']);
  });
}
