import { DataSource, type Repository } from 'typeorm';
import {
  addTransactionalDataSource,
  deleteDataSourceByName,
  runInTransaction,
  runOnTransactionCommit,
  runOnTransactionRollback,
} from 'holdfast/typeorm-transactional';
import { rollbackPerTest } from 'holdfast/testing';
import { useDatabase } from '../harness/database.js';
import { Post, schema } from './world.js';

const db = useDatabase({ schema });
let dataSource: DataSource;
let posts: Repository<Post>;

beforeAll(async () => {
  dataSource = addTransactionalDataSource(
    new DataSource({ type: 'postgres', url: db.url, entities: [Post] }),
  );
  await dataSource.initialize();
  posts = dataSource.getRepository(Post);
});

afterAll(async () => {
  deleteDataSourceByName('default');
  await dataSource.destroy();
});

rollbackPerTest();

test.each(['the first test', 'the next test'])(
  'rollbackPerTest() undoes what transactional calls commit, and their hooks run: %s',
  async () => {
    const heard: string[] = [];
    await runInTransaction(async () => {
      await posts.insert({ message: 'kept' });
      runOnTransactionCommit(() => void heard.push('commit'));
    });
    const failing = runInTransaction(async () => {
      await posts.insert({ message: 'undone' });
      runOnTransactionRollback((error) => void heard.push(error.message));
      throw new Error('no');
    });

    await expect(failing).rejects.toThrow('no');
    expect(heard).toEqual(['commit', 'no']);
    expect((await posts.find()).map(({ message }) => message)).toEqual(['kept']);
    expect(await db.query('SELECT message FROM post')).toEqual([]);
  },
);
