import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  runInTransaction,
  runOutsideTransaction,
} from 'holdfast';
import { gate, useEntries } from './entries.js';
import { useLog } from './log.js';

const entries = useEntries();
const log = useLog();

describe('hooks that register hooks', () => {
  test('a before-commit hook that another one registers runs, after those before it', async () => {
    const events: string[] = [];
    await runInTransaction(async () => {
      beforeCommit(() => {
        events.push('1');
        beforeCommit(() => events.push('3'));
        afterCommit(() => events.push('4'));
      });
      beforeCommit(() => events.push('2'));
    });
    expect(events).toEqual(['1', '2', '3', '4']);
  });

  test('an after-commit hook that another one registers runs at once: the transaction is over', async () => {
    const events: string[] = [];
    await runInTransaction(async () => {
      afterCommit(() => {
        afterCommit(() => events.push('inner'));
        afterRollback(() => events.push('never'));
        events.push('outer');
      });
    });
    expect(events).toEqual(['inner', 'outer']);
  });

  describe('what an after hook sets off is awaited with it:', () => {
    const later = (events: string[], what: string) => async (): Promise<void> => {
      await entries.add(what);
      events.push(what);
    };
    const ignore = (): undefined => undefined;

    test.each([
      ['afterCommit in afterCommit', afterCommit, afterCommit],
      ['afterCompletion in afterCommit', afterCommit, afterCompletion],
      ['beforeCommit in afterCompletion', afterCompletion, beforeCommit],
    ] as const)('%s', async (_, outer, inner) => {
      const events: string[] = [];
      await runInTransaction(async () => {
        outer(() => inner(later(events, 'set off')));
        outer(() => void events.push('next'));
      });
      expect(events).toEqual(['set off', 'next']);
      expect(await entries.committed()).toEqual(['set off']);
    });

    test('afterCommit in afterRollback: outside the transaction that is rolled back it runs', async () => {
      const events: string[] = [];
      await runInTransaction(() => {
        afterRollback(() => afterCommit(later(events, 'set off')));
        return Promise.reject(new Error('no'));
      }).catch(ignore);
      expect(events).toEqual(['set off']);
    });

    test('at any depth, and after an await', async () => {
      const events: string[] = [];
      await runInTransaction(async () => {
        afterCommit(async () => {
          await entries.add('1');
          afterCommit(async () => {
            await entries.add('2');
            afterCommit(later(events, '3'));
          });
        });
      });
      expect(events).toEqual(['3']);
      expect(await entries.committed()).toEqual(['1', '2', '3']);
    });

    test('one that fails is logged, and the others run', async () => {
      const events: string[] = [];
      await runInTransaction(async () => {
        afterCommit(() => {
          afterCommit(() => Promise.reject(new Error('late')));
          afterCommit(later(events, 'other'));
        });
      });
      expect(events).toEqual(['other']);
      expect(log.errors).toHaveLength(1);
    });

    test('not what runOutsideTransaction() starts there: nobody waits for that', async () => {
      const events: string[] = [];
      const held = gate();
      await runInTransaction(async () => {
        afterCommit(() => {
          runOutsideTransaction(() => {
            afterCommit(() => held.opened.then(() => events.push('started')));
          });
        });
      });
      expect(events).toEqual([]);
      held.open();
      await held.opened;
      await new Promise(setImmediate);
      expect(events).toEqual(['started']);
    });

    test('nor what is registered when the hook is over, by something that it did not await', async () => {
      const held = gate();
      const registered = gate();
      await runInTransaction(async () => {
        afterCommit(() => void held.opened.then(() => afterCommit(registered.open)));
      });
      held.open();
      await registered.opened;
      expect(log.errors).toEqual([]);
    });
  });

  test('a transaction that an after-commit hook begins has hooks of its own', async () => {
    const events: string[] = [];
    await runInTransaction(async () => {
      afterCommit(() =>
        runInTransaction(async () => {
          await entries.add('second');
          afterCommit(() => events.push('second committed'));
        }),
      );
    });
    expect(events).toEqual(['second committed']);
    expect(await entries.committed()).toEqual(['second']);
  });
});

test.each(Array.from({ length: 24 }, (_, turns) => ({ turns })))(
  'a before-commit hook that comes $turns turns late, from what nobody awaited, runs or is refused',
  async ({ turns }) => {
    const told: string[] = [];
    await runInTransaction(async () => {
      beforeCommit(() => {
        void (async () => {
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          beforeCommit(() => void told.push('ran'));
        })().catch((error: { code: string }) => told.push(error.code));
      });
    });
    await new Promise(setImmediate);
    expect(['ran', 'TRANSACTION_CLOSED']).toContain(told.join());
  },
);
