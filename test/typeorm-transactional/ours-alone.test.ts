import { inspect } from 'node:util';
import {
  currentTransaction,
  DuplicateDataSourceError,
  InvalidOptionsError,
  managePool,
  runInTransaction as runInHoldfastTransaction,
  runOutsideTransaction,
  Transactional as HoldfastTransactional,
  TransactionClosedError,
  UnknownDataSourceError,
  unmanagePool,
} from 'holdfast';
import * as api from 'holdfast/typeorm-transactional';
import { DataSourceNotInitializedError } from 'holdfast/typeorm';
import { useLog } from '../transaction/log.js';
import { Post, READ_ASSIGNED, useWorld } from './world.js';

const world = useWorld(api, 'ASYNC_LOCAL_STORAGE');
const log = useLog();
const { runInTransaction, Propagation } = api;
const insert = (message: string): Promise<unknown> => world.posts.insert({ message });

/** A class with one method, which is transactional and does `work`. */
function decorated(work: () => Promise<unknown>): new () => { run(): Promise<unknown> } {
  class Service {
    @api.Transactional()
    run(): Promise<unknown> {
      return work();
    }
  }
  return Service;
}

describe('hooks', () => {
  test.each(['REQUIRED', 'NEVER'] as const)(
    'of a %s call that fail are logged: the caller is told what happened, the others run',
    async (mode) => {
      const heard: string[] = [];
      const result = await runInTransaction(
        async () => {
          api.runOnTransactionCommit(() => {
            throw new Error('no mail server');
          });
          api.runOnTransactionCommit((() => Promise.reject(new Error('no queue'))) as () => void);
          api.runOnTransactionComplete(() => void heard.push('complete'));
          await insert('a');
          return 'done';
        },
        { propagation: Propagation[mode] },
      );

      expect(result).toBe('done');
      expect(heard).toEqual(['complete']);
      expect(await world.committed()).toEqual(['a']);
      expect(log.errors.map(([fields]) => (fields as { error: Error }).error.message)).toEqual([
        'no mail server',
        'no queue',
      ]);
    },
  );

  test.each(['REQUIRED', 'NEVER'] as const)(
    'of a %s call that fail in a statement leave no value of it in the log',
    async (mode) => {
      const failing = (): Promise<unknown> =>
        world.dataSource.query('INSERT INTO post (id, message) VALUES ($1, $2)', ['x-4111', 'y-4111']);
      await runInTransaction(async () => api.runOnTransactionCommit(failing as () => void), {
        propagation: Propagation[mode],
      });

      expect(log.errors).toHaveLength(1);
      expect(JSON.stringify(log.errors)).toContain('invalid_text_representation');
      expect(inspect(log.errors, { depth: 10 })).not.toContain('4111');
    },
  );

  test.each(['REQUIRED', 'NEVER'] as const)(
    'that a commit hook of a %s call registers run at once, and are awaited with it',
    async (mode) => {
      const heard: string[] = [];
      const slowly = async (): Promise<void> => {
        await world.committed();
        heard.push('second');
      };
      await runInTransaction(
        async () =>
          api.runOnTransactionCommit(() => {
            heard.push('first');
            api.runOnTransactionCommit(slowly as () => void);
          }),
        { propagation: Propagation[mode] },
      );

      expect(heard).toEqual(['first', 'second']);
      expect(log.errors).toEqual([]);
    },
  );

  test('registered in runOutsideTransaction() are refused: there is no end that they could wait for', async () => {
    const call = runInTransaction(async () =>
      runOutsideTransaction(() => api.runOnTransactionCommit(() => undefined)),
    );

    await expect(call).rejects.toThrow(api.TransactionalError);
  });

  test('registered when their call has ended are refused', async () => {
    let end!: () => void;
    const over = new Promise<void>((resolve) => (end = resolve));
    const register = (mode: 'REQUIRED' | 'NEVER') => {
      let late!: Promise<void>;
      const call = runInTransaction(
        async () => void (late = over.then(() => api.runOnTransactionCommit(() => undefined))),
        { propagation: Propagation[mode] },
      );
      return call.then(() => late);
    };
    const both = Promise.allSettled([register('REQUIRED'), register('NEVER')]);
    setImmediate(end);

    expect(await both).toMatchObject([
      { reason: { name: 'TransactionClosedError' } },
      { reason: { name: 'TransactionalError' } },
    ]);
  });

  test.each([
    [undefined, 11, 1],
    [undefined, 10, 0],
    [2, 3, 1],
    [0, 50, 0],
    [Infinity, 50, 0],
  ])('with maxHookHandlers %s, %i of one kind make %i warning(s)', async (limit, count, warnings) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    api.initializeTransactionalContext({ maxHookHandlers: limit ?? 10 });
    await runInTransaction(async () => {
      for (let number = 0; number < count; number++) api.runOnTransactionCommit(() => undefined);
    });
    expect(warn.mock.calls).toEqual(
      Array(warnings).fill([expect.stringContaining(`${count} commit hooks`), 'MaxListenersExceededWarning']),
    );
    warn.mockRestore();
  });
});

describe('the data source', () => {
  test('that is still being initialised when it is added is managed by its first transaction', async () => {
    const other = world.another();
    const initialising = other.initialize();
    api.addTransactionalDataSource({ name: 'other', dataSource: other });
    await initialising;

    const rows = await runInTransaction(
      async () => {
        await other.getRepository(Post).insert({ message: 'a' });
        return other.query(READ_ASSIGNED);
      },
      { connectionName: 'other' },
    );
    expect(rows).toEqual([{ assigned: true }]);
  });

  test('that is not initialised is named in the error', async () => {
    api.addTransactionalDataSource({ name: 'other', dataSource: world.another() });

    const call = runInTransaction(async () => undefined, { connectionName: 'other' });
    await expect(call).rejects.toThrow(DataSourceNotInitializedError);
    await expect(call).rejects.toThrow('Data source "other" is not initialised yet');
  });

  test('that is initialised again after destroy() is managed again', async () => {
    await world.dataSource.destroy();
    await world.dataSource.initialize();

    await runInTransaction(() => insert('a'));
    expect(await world.committed()).toEqual(['a']);
  });

  test('that is added twice under its name is added once', () => {
    expect(api.addTransactionalDataSource(world.dataSource)).toBe(world.dataSource);
  });

  test('that was deleted is in no transaction, and can be added again', async () => {
    api.deleteDataSourceByName('default');
    await insert('plain');
    await expect(runInTransaction(() => insert('a'))).rejects.toThrow(UnknownDataSourceError);

    api.addTransactionalDataSource(world.dataSource);
    await expect(
      runInTransaction(() => insert('b').then(() => Promise.reject(new Error('no')))),
    ).rejects.toThrow('no');
    expect(await world.committed()).toEqual(['plain']);
  });

  test('that was deleted before its initialisation stays unmanaged', async () => {
    const other = api.addTransactionalDataSource({ name: 'other', dataSource: world.another() });
    api.deleteDataSourceByName('other');
    await other.initialize();

    await expect(runInTransaction(async () => undefined, { connectionName: 'other' })).rejects.toThrow(
      UnknownDataSourceError,
    );
  });

  test('two under one name: the one that lost it does not start, for its work would be in no transaction', async () => {
    const first = api.addTransactionalDataSource({ name: 'other', dataSource: world.another() });
    const second = api.addTransactionalDataSource({ name: 'other', dataSource: world.another() });
    await expect(first.initialize()).rejects.toThrow(DuplicateDataSourceError);
    await second.initialize();
    expect(() => api.addTransactionalDataSource({ name: 'other', dataSource: world.another() })).toThrow(
      DuplicateDataSourceError,
    );
    await second.destroy();
    api.deleteDataSourceByName('other');
  });

  test('two under one name: the second is refused while the first is being initialised', async () => {
    const first = api.addTransactionalDataSource({ name: 'other', dataSource: world.another() });
    const initialised = first.initialize();
    expect(() => api.addTransactionalDataSource({ name: 'other', dataSource: world.another() })).toThrow(
      DuplicateDataSourceError,
    );
    await (await initialised).destroy();
    api.deleteDataSourceByName('other');
  });

  test('whose name a pool has already does not start, and leaves no connection open', async () => {
    const managed = managePool(world.db.pool(), { name: 'other' });
    const other = api.addTransactionalDataSource({ name: 'other', dataSource: world.another() });

    await expect(other.initialize()).rejects.toThrow(DuplicateDataSourceError);
    expect(other.isInitialized).toBe(false);
    unmanagePool(managed);
  });

  test.each([
    ['no DataSource', undefined],
    ['an option that nobody knows', { dataSource: {}, patched: false }],
    ['a wrong name', { name: 1, dataSource: {} }],
  ])('is refused: %s', (_, input) => {
    expect(() => api.addTransactionalDataSource(input as never)).toThrow(InvalidOptionsError);
  });
});

describe('initializeTransactionalContext', () => {
  test('refuses another storage than the one in use', () => {
    expect(() => api.initializeTransactionalContext({ storageDriver: api.StorageDriver.CLS_HOOKED })).toThrow(
      /CLS_HOOKED, but ASYNC_LOCAL_STORAGE is in use already/,
    );
  });

  test.each([{ storageDriver: 'NONE' }, { maxHookHandlers: -1 }, { maxHandlers: 1 }])(
    'refuses %j',
    (options) => {
      expect(() => api.initializeTransactionalContext(options as never)).toThrow(InvalidOptionsError);
    },
  );

  test('answers what getTransactionalContext() answers', () => {
    expect(api.getTransactionalContext()).toBe(api.initializeTransactionalContext());
  });

  test('keeps the values of branches that run at once apart', async () => {
    const context = api.getTransactionalContext();
    const branch = (value: number) =>
      context.run(async () => {
        context.set('value', value);
        await world.posts.count();
        return runInTransaction(async () => context.get('value'));
      });

    expect(await Promise.all([branch(1), branch(2), branch(3)])).toEqual([1, 2, 3]);
    expect([context.active, context.get('value')]).toEqual([false, undefined]);
  });
});

describe('a transaction', () => {
  test('has the name of the class and the method', async () => {
    class Service {
      @api.Transactional()
      async run(): Promise<string | undefined> {
        return currentTransaction()?.name;
      }
      @api.Transactional()
      static async run(): Promise<string | undefined> {
        return currentTransaction()?.name;
      }
    }
    const named = () => currentTransaction()?.name;
    expect([
      await new Service().run(),
      await Service.run(),
      await runInTransaction(async () => named(), { name: 'import' }),
      await runInTransaction(async function placeOrder() {
        return named();
      }),
      await api.wrapInTransaction(async () => named(), { name: Symbol('job') })(),
    ]).toEqual(['Service.run', 'Service.run', 'import', 'placeOrder', 'Symbol(job)']);
  });

  test.each<[string, (work: () => Promise<unknown>) => Promise<unknown>]>([
    ['@Transactional()', (work) => new (decorated(work))().run()],
    ['wrapInTransaction()', (work) => api.wrapInTransaction(work)()],
    ['runInTransaction()', (work) => runInTransaction(work)],
  ])('of %s names the line that opened it', async (_, call) => {
    let late!: Promise<unknown>;
    let begin!: () => void;
    const over = new Promise<void>((resolve) => (begin = resolve));
    await call(async () => {
      await world.posts.count();
      late = over.then(() => insert('late'));
    });
    begin();

    const error = (await late.catch((reason: unknown) => reason)) as Error;
    expect(error).toBeInstanceOf(TransactionClosedError);
    const [, opened] = (error.cause as Error).stack!.split('\n');
    expect(opened).toContain('ours-alone.test.ts');
  });

  test("is one with holdfast's own decorator and functions, hooks included", async () => {
    const heard: string[] = [];
    class Service {
      @HoldfastTransactional({ propagation: 'MANDATORY' })
      async inner(): Promise<void> {
        api.runOnTransactionRollback((error) => void heard.push(error.message));
        await insert('inner');
      }

      @api.Transactional()
      async outer(): Promise<void> {
        await this.inner();
      }
    }
    const call = runInHoldfastTransaction(async () => {
      await new Service().outer();
      throw new Error('outermost');
    });

    await expect(call).rejects.toThrow('outermost');
    expect(heard).toEqual(['outermost']);
    expect(await world.committed()).toEqual([]);
  });

  test.each(['NOT_SUPPORTED', 'NEVER'] as const)(
    'is not begun by %s, whatever its isolation level',
    async (mode) => {
      const options = {
        propagation: Propagation[mode],
        isolationLevel: api.IsolationLevel.SERIALIZABLE,
      };
      await runInTransaction(() => insert('a'), options);
      expect(await world.committed()).toEqual(['a']);
    },
  );

  test('joins one of the level that it asks for', async () => {
    const isolationLevel = api.IsolationLevel.SERIALIZABLE;
    await runInTransaction(() => runInTransaction(() => insert('a'), { isolationLevel }), { isolationLevel });
    expect(await world.committed()).toEqual(['a']);
  });
});

test('@Transactional() on what is no method is refused', () => {
  const decorate = api.Transactional() as (...args: unknown[]) => void;
  expect(() => decorate({}, 'property', undefined)).toThrow(InvalidOptionsError);
});

test('a wrong option is refused where it is given', () => {
  expect(() =>
    api.Transactional({ propagation: 'ALWAYS' } as never)({}, 'run', { value: () => undefined }),
  ).toThrow(InvalidOptionsError);
  expect(() => api.wrapInTransaction(async () => undefined, { isolationLevel: 'NONE' } as never)).toThrow(
    InvalidOptionsError,
  );
});
