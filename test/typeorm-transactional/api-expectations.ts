import { Post, READ_ASSIGNED, type World } from './world.js';

/** What the README and the type declarations of typeorm-transactional say of hooks, wrappers, names and options. */
export function apiExpectations(world: World): void {
  const { api } = world;
  const { runInTransaction, Propagation } = api;
  const insert = (message: string): Promise<unknown> => world.posts.insert({ message });
  const reason = new Error('failed on purpose');

  describe('hooks', () => {
    const listen = () => {
      const hooks = { commit: jest.fn(), rollback: jest.fn(), complete: jest.fn() };
      api.runOnTransactionCommit(hooks.commit);
      api.runOnTransactionRollback(hooks.rollback);
      api.runOnTransactionComplete(hooks.complete);
      return hooks;
    };
    let hooks: ReturnType<typeof listen>;
    const calls = () => ({
      commit: hooks.commit.mock.calls,
      rollback: hooks.rollback.mock.calls,
      complete: hooks.complete.mock.calls,
    });

    const runs = ['REQUIRED', 'REQUIRES_NEW', 'NESTED', 'SUPPORTS', 'NEVER'] as const;

    test.each(runs)('of commit and completion run once after a %s call has resolved', async (mode) => {
      await runInTransaction(
        async () => {
          hooks = listen();
          await insert('a');
          expect(calls()).toEqual({ commit: [], rollback: [], complete: [] });
        },
        { propagation: Propagation[mode] },
      );
      await world.hooksOver();
      expect(calls()).toEqual({ commit: [[]], rollback: [], complete: [[undefined]] });
    });

    test.each(runs)('of rollback and completion get the error of a %s call', async (mode) => {
      const call = runInTransaction(
        async () => {
          hooks = listen();
          throw reason;
        },
        { propagation: Propagation[mode] },
      );
      await expect(call).rejects.toBe(reason);
      await world.hooksOver();
      expect(calls()).toEqual({ commit: [], rollback: [[reason]], complete: [[reason]] });
    });

    test('of a joined call wait for the transaction that it joined', async () => {
      await runInTransaction(async () => {
        await runInTransaction(async () => void (hooks = listen()));
        await world.hooksOver();
        expect(calls()).toEqual({ commit: [], rollback: [], complete: [] });
      });
      await world.hooksOver();
      expect(calls()).toEqual({ commit: [[]], rollback: [], complete: [[undefined]] });
    });

    test.each(['REQUIRES_NEW', 'NOT_SUPPORTED'] as const)(
      'of a %s call do not wait for the transaction around it',
      async (mode) => {
        const outer = runInTransaction(async () => {
          await runInTransaction(async () => void (hooks = listen()), { propagation: Propagation[mode] });
          await world.hooksOver();
          expect(calls()).toEqual({ commit: [[]], rollback: [], complete: [[undefined]] });
          throw reason;
        });
        await expect(outer).rejects.toBe(reason);
        await world.hooksOver();
        expect(calls()).toEqual({ commit: [[]], rollback: [], complete: [[undefined]] });
      },
    );

    test.each([
      ['runOnTransactionCommit', api.runOnTransactionCommit],
      ['runOnTransactionRollback', api.runOnTransactionRollback],
      ['runOnTransactionComplete', api.runOnTransactionComplete],
    ])('%s outside any transactional call throws', (_, register) => {
      expect(() => register(() => undefined)).toThrow(Error);
    });
  });

  describe('wrapInTransaction', () => {
    test('hands this, the arguments and the result through, at each call', async () => {
      const service = {
        prefix: 'from',
        save: api.wrapInTransaction(async function (this: { prefix: string }, name: string, count: number) {
          await insert(`${this.prefix} ${name}`);
          return count + 1;
        }),
      };

      expect([await service.save('a', 1), await service.save('b', 2)]).toEqual([2, 3]);
      expect(await world.committed()).toEqual(['from a', 'from b']);
    });

    test('answers a promise of what a synchronous function answers', async () => {
      await expect(api.wrapInTransaction((text: string) => text.length)('abc')).resolves.toBe(3);
    });
  });

  test('@Transactional() keeps the name and the metadata of a method, this and its arguments', async () => {
    const Marked = (): MethodDecorator => (_, __, descriptor) =>
      Reflect.defineMetadata('mark', 'x', descriptor.value as object);
    class Service {
      prefix = 'from';

      @api.Transactional()
      @Marked()
      async save(name: string): Promise<string> {
        await insert(`${this.prefix} ${name}`);
        return name;
      }
    }

    expect(await new Service().save('a')).toBe('a');
    expect(await world.committed()).toEqual(['from a']);
    expect(Service.prototype.save.name).toBe('save');
    expect(Reflect.getMetadata('mark', Service.prototype.save)).toBe('x');
  });

  test.each(['READ_COMMITTED', 'REPEATABLE_READ', 'SERIALIZABLE'] as const)(
    'isolationLevel %s is in force on the server',
    async (level) => {
      const [row] = await runInTransaction<() => Promise<[{ level: string }]>>(
        () => world.dataSource.query(`SELECT current_setting('transaction_isolation') AS level`),
        { isolationLevel: api.IsolationLevel[level] },
      );
      expect(row.level.toUpperCase()).toBe(api.IsolationLevel[level]);
    },
  );

  describe('a data source', () => {
    test('is found by its name until it is deleted', () => {
      expect(api.getDataSourceByName('default')).toBe(world.dataSource);
      expect(api.getDataSourceByName('nobody')).toBeUndefined();
      expect([api.deleteDataSourceByName('default'), api.deleteDataSourceByName('default')]).toEqual([
        true,
        false,
      ]);
      expect(api.getDataSourceByName('default')).toBeUndefined();
    });

    test.each(['before', 'after'])('that is added %s its initialisation takes part', async (moment) => {
      const other = world.another();
      if (moment === 'after') await other.initialize();
      expect(api.addTransactionalDataSource({ name: 'other', dataSource: other })).toBe(other);
      if (moment === 'before') await other.initialize();

      const assigned = await runInTransaction(
        async () => {
          await other.getRepository(Post).insert({ message: 'a' });
          return other.query(READ_ASSIGNED);
        },
        { connectionName: 'other' },
      );
      expect(assigned).toEqual([{ assigned: true }]);
    });

    test('is in no transaction of another one', async () => {
      const other = api.addTransactionalDataSource({ name: 'other', dataSource: world.another() });
      await other.initialize();
      const call = runInTransaction(async () => {
        await other.getRepository(Post).insert({ message: 'other' });
        await insert('default');
        throw reason;
      });

      await expect(call).rejects.toBe(reason);
      expect(await world.committed()).toEqual(['other']);
    });

    test('cannot take the name of one that is in use', () => {
      expect(() => api.addTransactionalDataSource(world.another())).toThrow(Error);
      expect(api.getDataSourceByName('default')).toBe(world.dataSource);
    });
  });

  test('a second initializeTransactionalContext() answers the context that is in use', () => {
    const first = api.initializeTransactionalContext();
    expect(api.initializeTransactionalContext({ storageDriver: api.StorageDriver.AUTO })).toBe(first);
  });
}
