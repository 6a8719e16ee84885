import { setTimeout as sleep } from 'node:timers/promises';
import { signal } from '../conformance/observing.js';
import { Post, READ_ASSIGNED, type World } from './world.js';

/** One situation, and what becomes of it with either package. docs/coming-from-typeorm-transactional.md names each. */
export interface Difference {
  readonly title: string;
  run(world: World): Promise<unknown>;
  readonly theirs: unknown;
  readonly ours: unknown;
}

const failing = (): never => {
  throw new Error('failed on purpose');
};

/** `resolved`, or the name of the error. */
const outcome = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'resolved',
    (error: Error) => error.name,
  );

/** What is committed when the transaction around `work` is rolled back. */
async function committedAfterRollback(world: World, work: () => Promise<unknown>): Promise<string[]> {
  await world.api.runInTransaction(async () => work().then(failing)).catch(() => undefined);
  return world.committed();
}

const isAssigned = async ({ dataSource }: World): Promise<boolean> => {
  const [row] = await dataSource.query<[{ assigned: boolean }]>(READ_ASSIGNED);
  return row.assigned;
};

export const differences: readonly Difference[] = [
  {
    title: 'a NESTED call that succeeded, in a transaction that is rolled back',
    run: (world) => {
      const { runInTransaction, Propagation } = world.api;
      return committedAfterRollback(world, () =>
        runInTransaction(() => world.posts.insert({ message: 'nested' }), {
          propagation: Propagation.NESTED,
        }),
      );
    },
    theirs: ['nested'],
    ours: [],
  },
  {
    title: 'what a NESTED call sees of the transaction around it',
    run: (world) => {
      const { runInTransaction, Propagation } = world.api;
      return runInTransaction(async () => {
        await world.posts.insert({ message: 'outer' });
        return runInTransaction(() => world.posts.countBy({ message: 'outer' }), {
          propagation: Propagation.NESTED,
        });
      });
    },
    theirs: 0,
    ours: 1,
  },
  {
    title: 'commit hooks of a NESTED call, in a transaction that is rolled back',
    run: async (world) => {
      const { runInTransaction, Propagation, runOnTransactionCommit, runOnTransactionRollback } = world.api;
      const heard: string[] = [];
      await committedAfterRollback(world, () =>
        runInTransaction(
          async () => {
            runOnTransactionCommit(() => void heard.push('commit'));
            runOnTransactionRollback(() => void heard.push('rollback'));
          },
          { propagation: Propagation.NESTED },
        ),
      );
      await world.hooksOver();
      return heard;
    },
    theirs: ['commit'],
    ours: ['rollback'],
  },
  {
    title: 'dataSource.transaction() inside a transaction that is rolled back',
    run: (world) =>
      committedAfterRollback(world, () =>
        world.dataSource.transaction((manager) => manager.insert(Post, { message: 'a' })),
      ),
    theirs: ['a'],
    ours: [],
  },
  {
    title: 'dataSource.createQueryRunner() inside a transaction that is rolled back',
    run: (world) =>
      committedAfterRollback(world, async () => {
        const runner = world.dataSource.createQueryRunner();
        await runner.query(`INSERT INTO post (message) VALUES ('a')`);
        await runner.release();
      }),
    theirs: ['a'],
    ours: [],
  },
  {
    title: 'an EntityManager that was taken before the transaction, which is rolled back',
    run: async (world) => {
      const { manager } = world.dataSource;
      return committedAfterRollback(world, () => manager.insert(Post, { message: 'a' }));
    },
    theirs: ['a'],
    ours: [],
  },
  {
    title: 'a joined call that fails, and its error is swallowed',
    run: async (world) => {
      const { runInTransaction } = world.api;
      const call = runInTransaction(async () => {
        await runInTransaction(async () => {
          await world.posts.insert({ message: 'half done' });
          failing();
        }).catch(() => undefined);
      });
      return [await outcome(call), await world.committed()];
    },
    theirs: ['resolved', ['half done']],
    ours: ['UnexpectedRollbackError', []],
  },
  {
    title: 'a statement that fails, and its error is swallowed',
    run: async (world) => {
      const call = world.api.runInTransaction(async () => {
        await world.posts.insert({ message: 'a' });
        await world.dataSource.query('SELECT 1 / 0').catch(() => undefined);
      });
      return [await outcome(call), await world.committed()];
    },
    theirs: ['resolved', []],
    ours: ['UnexpectedRollbackError', []],
  },
  {
    title: 'a statement beside a REQUIRES_NEW branch, in a transaction that is rolled back',
    run: (world) => {
      const { runInTransaction, Propagation } = world.api;
      return committedAfterRollback(world, async () => {
        const begun = signal();
        const written = signal();
        await Promise.all([
          runInTransaction(
            async () => {
              await world.posts.count();
              begun.send();
              await written.sent;
            },
            { propagation: Propagation.REQUIRES_NEW },
          ),
          begun.sent.then(() => world.posts.insert({ message: 'beside' })).then(written.send, written.fail),
        ]);
      });
    },
    theirs: ['beside'],
    ours: [],
  },
  {
    title: 'a call whose isolation level is not that of the transaction that it joins',
    run: (world) => {
      const { runInTransaction, IsolationLevel } = world.api;
      return outcome(
        runInTransaction(() =>
          runInTransaction(() => world.posts.count(), { isolationLevel: IsolationLevel.SERIALIZABLE }),
        ),
      );
    },
    theirs: 'resolved',
    ours: 'IsolationMismatchError',
  },
  {
    title: 'a statement that a method starts without waiting for it, after the method has returned',
    run: async (world) => {
      let late!: Promise<unknown>;
      let begin!: () => void;
      const over = new Promise<void>((resolve) => (begin = resolve));
      await world.api.runInTransaction(async () => {
        await world.posts.count();
        late = over.then(() => world.posts.insert({ message: 'late' }));
      });
      begin();
      return [await outcome(late), await world.committed()];
    },
    theirs: ['resolved', ['late']],
    ours: ['TransactionClosedError', []],
  },
  {
    title: 'an asynchronous commit hook',
    run: async (world) => {
      const heard: string[] = [];
      const hook = async (): Promise<void> => {
        await sleep(1);
        heard.push('hook');
      };
      await world.api.runInTransaction(async () => world.api.runOnTransactionCommit(hook));
      const atOnce = [...heard];
      while (heard.length === 0) await sleep(1);
      return atOnce;
    },
    theirs: [],
    ours: ['hook'],
  },
  {
    title: 'a hook for completion that is registered before one for commit',
    run: async (world) => {
      const { runInTransaction, runOnTransactionCommit, runOnTransactionComplete } = world.api;
      const heard: string[] = [];
      await runInTransaction(async () => {
        runOnTransactionComplete(() => void heard.push('complete'));
        runOnTransactionCommit(() => void heard.push('commit'));
      });
      await sleep(20);
      return heard;
    },
    theirs: ['commit', 'complete'],
    ours: ['complete', 'commit'],
  },
  {
    title: 'a commit hook that a commit hook registers',
    run: async ({ api, hooksOver }) => {
      const heard: string[] = [];
      await api.runInTransaction(async () =>
        api.runOnTransactionCommit(() => {
          heard.push('first');
          try {
            api.runOnTransactionCommit(() => void heard.push('second'));
          } catch {
            heard.push('refused');
          }
        }),
      );
      await hooksOver();
      return heard;
    },
    theirs: ['first', 'refused'],
    ours: ['first', 'second'],
  },
  {
    title: 'dataSource.createQueryBuilder() of a data source that was added with patch: false',
    run: (world) =>
      world.api.runInTransaction(
        async () => {
          await world.unpatched.createQueryBuilder().insert().into(Post).values({ message: 'a' }).execute();
          return world.committed();
        },
        { connectionName: 'unpatched' },
      ),
    theirs: ['a'],
    ours: [],
  },
  {
    title: 'a transactional call on a name that nobody added',
    run: async (world) => {
      try {
        return await outcome(world.api.runInTransaction(async () => undefined, { connectionName: 'nobody' }));
      } catch (error) {
        return `thrown at once: ${(error as Error).name}`;
      }
    },
    theirs: 'thrown at once: Error',
    ours: 'UnknownDataSourceError',
  },
  {
    title: 'instanceof TransactionalError',
    run: (world) =>
      world.api
        .runInTransaction(async () => undefined, { propagation: world.api.Propagation.MANDATORY })
        .catch((error: unknown) => error instanceof world.api.TransactionalError),
    theirs: false,
    ours: true,
  },
  {
    title: 'a name whose data source was destroyed, added again',
    run: async (world) => {
      await world.dataSource.destroy();
      try {
        await world.api.addTransactionalDataSource(world.another()).initialize();
        return await world.api.runInTransaction(() => isAssigned(world)).catch(() => 'in use again');
      } catch (error) {
        return (error as Error).message;
      }
    },
    theirs: 'DataSource with name "default" has already added.',
    ours: 'in use again',
  },
  {
    title: "a value that is set in a context of one's own, read in a transaction inside it",
    run: (world) => {
      const context = world.api.initializeTransactionalContext();
      return context.run(async () => {
        context.set('request', 1);
        return world.api.runInTransaction(async () => context.get('request'));
      });
    },
    theirs: undefined,
    ours: 1,
  },
  {
    title: 'a commit hook in a NOT_SUPPORTED call with no transaction around it',
    run: async ({ api, hooksOver }) => {
      const heard: string[] = [];
      const call = api.runInTransaction(
        async () => api.runOnTransactionCommit(() => void heard.push('hook')),
        { propagation: api.Propagation.NOT_SUPPORTED },
      );
      const ended = await outcome(call);
      await hooksOver();
      return [ended, heard];
    },
    theirs: ['Error', []],
    ours: ['resolved', ['hook']],
  },
];
