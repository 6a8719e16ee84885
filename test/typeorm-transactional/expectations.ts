import type { ObjectLiteral, QueryBuilder, QueryRunner } from 'typeorm';
import { extended, Post, PostRepository, READ_ASSIGNED, type World } from './world.js';

interface Queryable {
  query(sql: string): Promise<unknown>;
}

/** Whether what is written through `target` is in a transaction that goes on. */
async function isInTransaction(target: Queryable): Promise<boolean> {
  await target.query(`INSERT INTO post (message) VALUES ('raw')`);
  const [row] = (await target.query(READ_ASSIGNED)) as [{ assigned: boolean }];
  return row.assigned;
}

async function isBuilderInTransaction(builder: () => QueryBuilder<ObjectLiteral>): Promise<boolean> {
  await builder().insert().into(Post).values({ message: 'built' }).execute();
  const row = await builder()
    .select('pg_current_xact_id_if_assigned() IS NOT NULL', 'assigned')
    .from(Post, 'p')
    .getRawOne<{ assigned: boolean }>();
  return row!.assigned;
}

/** What typeorm-transactional expects of itself: its own tests and its README, in our words. */
export function expectations(world: World): void {
  const { api } = world;
  const { runInTransaction, Propagation } = api;

  class Posts {
    committed: boolean | undefined;

    async create(message: string, fail = false): Promise<Post> {
      const post = await world.posts.save({ message });
      if (fail) throw new Error('failed on purpose');
      return post;
    }

    @api.Transactional()
    async createInTransaction(message: string, fail = false): Promise<Post> {
      api.runOnTransactionCommit(() => void (this.committed = true));
      api.runOnTransactionRollback(() => void (this.committed = false));
      return this.create(message, fail);
    }

    find(message: string): Promise<Post | null> {
      return world.posts.findOneBy({ message });
    }
  }
  let posts: Posts;
  beforeEach(() => void (posts = new Posts()));

  describe('a transaction', () => {
    test('of TypeORM itself is not joined from outside', async () => {
      const found = await world.dataSource.transaction(async (manager) => {
        await manager.save(Post, { message: 'a' });
        return world.posts.findOneBy({ message: 'a' });
      });

      expect(found).toBeNull();
      expect(await world.committed()).toEqual(['a']);
    });

    test('of runInTransaction is what repositories read and write in', async () => {
      const seen = await runInTransaction(async () => {
        const { id } = await posts.create('a');
        expect(await world.committed()).toEqual([]);
        return { id, found: await posts.find('a') };
      });

      expect(seen.id).toBeGreaterThan(0);
      expect(seen.found?.id).toBe(seen.id);
      expect(await world.committed()).toEqual(['a']);
    });

    test('of @Transactional() is committed when the method resolves', async () => {
      const { id } = await posts.createInTransaction('a');
      await world.hooksOver();

      expect((await posts.find('a'))?.id).toBe(id);
      expect(posts.committed).toBe(true);
    });

    test('of @Transactional() is rolled back when the method rejects', async () => {
      await expect(posts.createInTransaction('a', true)).rejects.toThrow('failed on purpose');
      await world.hooksOver();

      expect(await posts.find('a')).toBeNull();
      expect(posts.committed).toBe(false);
    });

    test('of runInTransaction does not show what a branch beside it has not written yet', async () => {
      let branch!: Promise<unknown>;
      const found = await runInTransaction(async () => {
        branch = posts.create('a', true).catch((error: unknown) => error);
        return posts.find('a');
      });

      expect(found).toBeNull();
      expect(await branch).toBeInstanceOf(Error);
    });

    test('is over after the call', async () => {
      await runInTransaction(() => isInTransaction(world.dataSource));

      expect(await isInTransaction(world.dataSource)).toBe(false);
    });
  });

  describe.each([
    'REQUIRED',
    'REQUIRES_NEW',
    'NESTED',
    'MANDATORY',
    'SUPPORTS',
    'NOT_SUPPORTED',
    'NEVER',
  ] as const)('propagation %s', (mode) => {
    const begins = ['REQUIRED', 'REQUIRES_NEW', 'NESTED'].includes(mode);
    const joins = ['REQUIRED', 'MANDATORY', 'SUPPORTS'].includes(mode);
    const call = <T>(work: () => Promise<T>): Promise<T> =>
      runInTransaction(work, { propagation: Propagation[mode] });

    if (mode === 'MANDATORY') {
      test('refuses to run without a transaction', async () => {
        await expect(call(() => posts.create('a'))).rejects.toMatchObject({ name: 'TransactionalError' });
        expect(await world.committed()).toEqual([]);
      });
    } else {
      test(`${begins ? 'begins one' : 'runs without'} where there is none`, async () => {
        expect(await call(() => isInTransaction(world.dataSource))).toBe(begins);
        expect(await world.committed()).toEqual(['raw']);
      });
    }

    if (mode === 'NEVER') {
      test('refuses to run inside a transaction', async () => {
        const outer = runInTransaction(async () => {
          await posts.create('a');
          await call(() => posts.create('b'));
        });
        await expect(outer).rejects.toMatchObject({ name: 'TransactionalError' });
        expect(await world.committed()).toEqual([]);
      });
    } else if (joins) {
      test('joins the transaction around it', async () => {
        const found = await runInTransaction(async () => {
          await posts.create('a');
          return call(() => posts.find('a'));
        });
        expect(found).not.toBeNull();
      });
    } else if (mode !== 'NESTED') {
      test('is not in the transaction around it, which goes on afterwards', async () => {
        const found = await runInTransaction(async () => {
          await posts.create('a');
          return { inside: await call(() => posts.find('a')), after: await posts.find('a') };
        });
        expect(found).toEqual({ inside: null, after: expect.objectContaining({ message: 'a' }) });
      });
    }
  });

  describe('inside a transaction', () => {
    test.each<[string, () => Queryable]>([
      ['DataSource', () => world.dataSource],
      ['DataSource.manager', () => world.dataSource.manager],
      ['a repository', () => world.dataSource.getRepository(Post)],
    ])('query() of %s is part of it', async (_, target) => {
      expect(await runInTransaction(() => isInTransaction(target()))).toBe(true);
    });

    test.each<[string, () => QueryBuilder<ObjectLiteral>]>([
      ['DataSource', () => world.dataSource.createQueryBuilder()],
      ['DataSource.manager', () => world.dataSource.manager.createQueryBuilder()],
      ['DataSource, of an entity', () => world.dataSource.createQueryBuilder(Post, 'q')],
    ])('createQueryBuilder() of %s is part of it', async (_, builder) => {
      expect(await runInTransaction(() => isBuilderInTransaction(builder))).toBe(true);
    });

    test('a QueryRunner that is named goes before', async () => {
      const runner = await freshRunner(world);
      const assigned = await runInTransaction(() => world.dataSource.query(READ_ASSIGNED, [], runner));
      await runner.release();
      expect(assigned).toEqual([{ assigned: false }]);
    });
  });

  test('query() of a DataSource that was added with patch: false is not part of the transaction', async () => {
    const [own, ofRepository] = await runInTransaction(
      async () => [
        await isInTransaction(world.unpatched),
        await isInTransaction(world.unpatched.getRepository(Post)),
      ],
      { connectionName: 'unpatched' },
    );
    expect({ own, ofRepository }).toEqual({ own: false, ofRepository: true });
  });

  test.each([
    ['a repository', () => ({ saveSlug: (slug: string) => world.posts.save({ message: 'plain', slug }) })],
    ['a class that extends Repository', () => new PostRepository(world.dataSource)],
    ['repository.extend()', () => extended(world.posts)],
  ])('what %s wrote is undone when a later statement fails', async (_, make) => {
    const repository = make();
    const rolledBack = jest.fn();
    const call = runInTransaction(async () => {
      api.runOnTransactionRollback(rolledBack);
      await repository.saveSlug('taken');
      await repository.saveSlug('taken');
    });

    await expect(call).rejects.toThrow(/duplicate key/);
    await world.hooksOver();
    expect(await world.committed()).toEqual([]);
    expect(rolledBack).toHaveBeenCalledTimes(1);
  });
}

/** A QueryRunner that was made outside every transaction. */
async function freshRunner({ dataSource }: World): Promise<QueryRunner> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  return runner;
}
