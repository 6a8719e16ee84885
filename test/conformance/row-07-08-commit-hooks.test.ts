import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runInTransaction,
  setLogger,
} from 'holdfast';
import { useDatabase } from '../harness/database.js';
import {
  conformanceSchema,
  everyWay,
  expectCleanPool,
  failureOf,
  labelsIn,
  signal,
  useWork,
} from './ways-in.js';
import { useWitness } from './witness.js';

const db = useDatabase({ schema: conformanceSchema });
const boom = new Error('hook');
/** What is logged of it. */
const logged = expect.objectContaining({ name: 'Error', message: 'hook' });

/** Ways in which a hook fails. */
const failures: readonly (readonly [string, () => unknown])[] = [
  [
    'throws at once',
    () => {
      throw boom;
    },
  ],
  ['rejects', () => Promise.reject(boom)],
  [
    'rejects later',
    async () => {
      await new Promise(setImmediate);
      throw boom;
    },
  ],
];

describe.each(everyWay)('after-commit hooks: $name', ({ way, opening }) => {
  const work = useWork(db, way);
  const witness = useWitness();

  test.each(failures)('one that %s: committed, told so, the others run', async (_, fail) => {
    const ran: string[] = [];
    const value = await opening.run(async () => {
      await work.insert('kept');
      afterCommit(() => ran.push('first'));
      afterCommit(fail);
      afterCommit(() => ran.push('second'));
      afterCompletion(fail);
      afterCompletion((completion) => ran.push(completion));
      afterRollback(() => ran.push('rollback'));
      return 42;
    });
    expect(value).toBe(42);
    expect(ran).toEqual(['first', 'second', 'committed']);
    await new Promise(setImmediate);
    expect(witness.logged).toEqual([logged, logged]);
    expect(witness.escaped).toEqual([]);
    expect(await labelsIn(db)).toEqual(['kept']);
    await expectCleanPool(work.pool, db);
  });

  test.each(failures)('a rollback hook that %s: the caller gets the error of the work', async (_, fail) => {
    const ran: string[] = [];
    const cause = new Error('work');
    const called = opening.run(async () => {
      await work.insert('undone');
      afterRollback(fail);
      afterRollback(() => ran.push('second'));
      afterCommit(() => ran.push('commit'));
      throw cause;
    });
    expect(await failureOf(called)).toBe(cause);
    expect(ran).toEqual(['second']);
    await new Promise(setImmediate);
    expect([witness.logged, witness.escaped]).toEqual([[logged], []]);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('one that throws, and a logger that throws about it: committed all the same', async () => {
    const broken = (): never => {
      throw new Error('logger');
    };
    setLogger({ debug: broken, info: broken, warn: broken, error: broken });
    const ran: string[] = [];
    await opening.run(async () => {
      await work.insert('kept');
      afterCommit(() => {
        throw boom;
      });
      afterCommit(() => ran.push('second'));
    });
    expect(ran).toEqual(['second']);
    expect(await labelsIn(db)).toEqual(['kept']);
    await expectCleanPool(work.pool, db);
  });

  test('an async one: awaited before the call resolves', async () => {
    const [started, finish] = [signal(), signal()];
    let settled = false;
    const called = opening
      .run(async () => {
        await work.insert('kept');
        afterCommit(async () => {
          started.send();
          await finish.sent;
        });
      })
      .then(() => (settled = true));
    await started.sent;
    expect(await labelsIn(db)).toEqual(['kept']);
    await new Promise(setImmediate);
    expect(settled).toBe(false);
    finish.send();
    expect(await called).toBe(true);
    await expectCleanPool(work.pool, db);
  });

  test('several async ones: one after the other, in the order of their registration', async () => {
    const ran: string[] = [];
    await opening.run(async () => {
      for (const name of ['a', 'b', 'c']) {
        afterCommit(async () => {
          ran.push(`${name} begins`);
          await new Promise(setImmediate);
          ran.push(`${name} ends`);
        });
      }
      await work.insert('kept');
    });
    expect(ran).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  test('of a NESTED and of a joined method: not before the outermost COMMIT, and awaited by it', async () => {
    const ran: string[] = [];
    const hook = (name: string): void =>
      afterCommit(async () => {
        await new Promise(setImmediate);
        ran.push(`${name} saw ${(await labelsIn(db)).length}`);
      });
    await opening.run(async () => {
      await runInTransaction(
        async () => {
          await work.insert('nested');
          hook('nested');
        },
        { propagation: 'NESTED' },
      );
      await runInTransaction(async () => {
        await work.insert('joined');
        hook('joined');
      });
      expect(ran).toEqual([]);
    });
    expect(ran).toEqual(['nested saw 2', 'joined saw 2']);
  });

  test('of a REQUIRES_NEW method: after its own COMMIT, inside the outer method', async () => {
    const ran: string[] = [];
    const outer = opening.run(async () => {
      await runInTransaction(
        async () => {
          await work.insert('new');
          afterCommit(async () => ran.push(...(await labelsIn(db))));
        },
        { propagation: 'REQUIRES_NEW' },
      );
      expect(ran).toEqual(['new']);
      throw boom;
    });
    expect(await failureOf(outer)).toBe(boom);
    expect(ran).toEqual(['new']);
  });

  test('one that uses the database: outside the transaction that has ended, its work is kept', async () => {
    await opening.run(async () => {
      const inside = await work.txid();
      await work.insert('transaction');
      afterCommit(async () => {
        expect(currentTransaction()).toBeUndefined();
        await work.insert('hook');
        expect(await work.txid()).not.toBe(inside);
      });
    });
    expect(witness.logged).toEqual([]);
    expect(await labelsIn(db)).toEqual(['transaction', 'hook']);
    await expectCleanPool(work.pool, db);
  });

  test('one that fails in the database: what was committed stays', async () => {
    await opening.run(async () => {
      await work.insert('transaction');
      afterCommit(() => work.fail());
      afterCommit(() => work.insert('second hook'));
    });
    expect(JSON.stringify(witness.logged)).toContain('"code":"23502"');
    expect(await labelsIn(db)).toEqual(['transaction', 'second hook']);
    await expectCleanPool(work.pool, db);
  });

  test('one with a transaction of its own: it commits, or rolls back, by itself, hooks included', async () => {
    const ran: string[] = [];
    await opening.run(async () => {
      await work.insert('transaction');
      afterCommit(() =>
        opening.run(async () => {
          await work.insert('own');
          afterCommit(() => ran.push('own commit'));
        }),
      );
      afterCommit(() =>
        opening.run(async () => {
          await work.insert('undone');
          afterRollback(() => ran.push('own rollback'));
          throw boom;
        }),
      );
    });
    expect(ran).toEqual(['own commit', 'own rollback']);
    expect(witness.logged).toEqual([logged]);
    expect(await labelsIn(db)).toEqual(['transaction', 'own']);
    await expectCleanPool(work.pool, db);
  });

  test('of a pool with one connection: the hook gets it, for the transaction has given it back', async () => {
    const single = await way.start(db, { max: 1, name: 'single' });
    await opening.run(
      async () => {
        await single.insert('transaction');
        afterCommit(() => single.insert('hook'));
        afterCommit(() => opening.run(() => single.insert('own'), { dataSource: 'single' }));
      },
      { dataSource: 'single' },
    );
    expect(await labelsIn(db)).toEqual(['transaction', 'hook', 'own']);
    await expectCleanPool(single.pool, db);
  });

  test('registered by a hook: outside any transaction it runs at once', async () => {
    const ran: string[] = [];
    await opening.run(async () => {
      await work.insert('kept');
      afterCommit(() => {
        ran.push('first');
        afterCommit(() => ran.push('registered by the first'));
      });
      afterCommit(() => ran.push('second'));
    });
    expect(ran).toEqual(['first', 'registered by the first', 'second']);
  });

  test('without any statement: they run all the same', async () => {
    const ran: string[] = [];
    await opening.run(async () => {
      afterCommit(() => ran.push('commit'));
      afterCompletion((completion) => ran.push(completion));
    });
    expect(ran).toEqual(['commit', 'committed']);
  });
});

describe.each(everyWay)('before-commit hooks: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test('run inside the transaction, those that they register included', async () => {
    await opening.run(async () => {
      const inside = await work.txid();
      beforeCommit(async () => {
        expect(await work.txid()).toBe(inside);
        await work.insert('first');
        beforeCommit(() => work.insert('second'));
      });
    });
    expect(await labelsIn(db)).toEqual(['first', 'second']);
    await expectCleanPool(work.pool, db);
  });

  test.each(failures)('one that %s: nothing is kept, the caller is told why', async (_, fail) => {
    const ran: string[] = [];
    const called = opening.run(async () => {
      await work.insert('undone');
      beforeCommit(fail);
      beforeCommit(() => ran.push('second'));
      afterCommit(() => ran.push('commit'));
      afterRollback(() => ran.push('rollback'));
    });
    expect(await failureOf(called)).toBe(boom);
    expect(ran).toEqual(['rollback']);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('one that swallows an SQL error: nothing is kept', async () => {
    const called = opening.run(async () => {
      await work.insert('undone');
      beforeCommit(async () => void (await failureOf(work.fail())));
    });
    expect(await failureOf(called)).toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '23502' } });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});
