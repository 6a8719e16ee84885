import type { DataSource } from 'typeorm';
import { Author, AuthorRepository, Book, Genre, Notice, Review, Shelf } from './library-entities.js';

/** The author that exists, committed, before every test. */
export const knownAuthor = 'Known';
/** The author that the transaction has inserted, and not committed, before it comes to the entry point. */
export const newAuthor = 'New';

/** A way into TypeORM. */
export interface EntryPoint {
  readonly name: string;
  /** Runs before the transaction, takes hold of what is captured, and answers what runs inside. */
  readonly prepare: (dataSource: DataSource) => Work | Promise<Work>;
}

type Work = () => Promise<unknown>;

const through = (name: string, prepare: EntryPoint['prepare']): EntryPoint => ({ name, prepare });

const known = (dataSource: DataSource): Promise<Author> =>
  dataSource.getRepository(Author).findOneByOrFail({ name: knownAuthor });

/** Entry points that write. */
export const writers: readonly EntryPoint[] = [
  through('repository.save', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.save({ name: 'a' });
  }),
  through('repository.save of many, in chunks', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.save([{ name: 'a' }, { name: 'b' }, { name: 'c' }], { chunk: 1 });
  }),
  through('repository.save that updates', async (ds) => {
    const author = await known(ds);
    return () => ds.getRepository(Author).save({ id: author.id, name: author.name, prizes: 3 });
  }),
  through('repository.insert', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.insert([{ name: 'a' }, { name: 'b' }]);
  }),
  through('repository.update', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.update({ name: knownAuthor }, { prizes: 1 });
  }),
  through('repository.upsert', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.upsert({ name: knownAuthor, prizes: 2 }, ['name']);
  }),
  through('repository.increment', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.increment({ name: knownAuthor }, 'prizes', 1);
  }),
  through('repository.softDelete', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.softDelete({ name: knownAuthor });
  }),
  through('repository.delete', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.delete({ name: knownAuthor });
  }),
  through('repository.remove', async (ds) => {
    const author = await known(ds);
    return () => ds.getRepository(Author).remove(author);
  }),
  through('repository.clear', (ds) => {
    const notices = ds.getRepository(Notice);
    return () => notices.clear();
  }),
  through('repository.query', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.query(`INSERT INTO author (name) VALUES ('a')`);
  }),
  through('a repository of .extend()', (ds) => {
    const authors = ds.getRepository(Author).extend({
      async addNamed(name: string): Promise<void> {
        await this.save({ name });
      },
    });
    return () => authors.addNamed('a');
  }),
  through('class extends Repository', (ds) => {
    const authors = new AuthorRepository(Author, ds.manager);
    return () => authors.addNamed('a');
  }),
  through('class extends Repository, on createEntityManager()', (ds) => {
    const authors = new AuthorRepository(Author, ds.createEntityManager());
    return () => authors.addNamed('a');
  }),
  through('ActiveRecord: entity.save()', (ds) => {
    Shelf.useDataSource(ds);
    return () => Shelf.create({ label: 'a' }).save();
  }),
  through('ActiveRecord: static insert', (ds) => {
    Shelf.useDataSource(ds);
    return () => Shelf.insert({ label: 'a' });
  }),
  through(
    'a captured EntityManager: save',
    ({ manager }) =>
      () =>
        manager.save(Author, { name: 'a' }),
  ),
  through(
    'a captured EntityManager: insert',
    ({ manager }) =>
      () =>
        manager.insert(Author, { name: 'a' }),
  ),
  through(
    'a captured EntityManager: query',
    ({ manager }) =>
      () =>
        manager.query(`INSERT INTO author (name) VALUES ($1)`, ['a']),
  ),
  through(
    'a captured EntityManager: getRepository',
    ({ manager }) =>
      () =>
        manager.getRepository(Author).save({ name: 'a' }),
  ),
  through('a captured EntityManager: withRepository', ({ manager }) => {
    const authors = new AuthorRepository(Author, manager);
    return () => manager.withRepository(authors).addNamed('a');
  }),
  through('createEntityManager() before the transaction', (ds) => {
    const manager = ds.createEntityManager();
    return () => manager.save(Author, { name: 'a' });
  }),
  through(
    'createEntityManager() inside the transaction',
    (ds) => () => ds.createEntityManager().save(Author, { name: 'a' }),
  ),
  through('dataSource.query', (ds) => () => ds.query(`INSERT INTO author (name) VALUES ('a')`)),
  through('dataSource.sql``', (ds) => () => ds.sql`INSERT INTO author (name) VALUES (${'a'})`),
  through('an insert QueryBuilder built before', (ds) => {
    const builder = ds.createQueryBuilder().insert().into(Author).values({ name: 'a' });
    return () => builder.execute();
  }),
  through('an update QueryBuilder of a repository built before', (ds) => {
    const builder = ds.getRepository(Author).createQueryBuilder().update().set({ prizes: 9 });
    return () => builder.where({ name: knownAuthor }).execute();
  }),
  through('a delete QueryBuilder of a manager built before', (ds) => {
    const builder = ds.manager.createQueryBuilder().delete().from(Author);
    return () => builder.where({ name: knownAuthor }).execute();
  }),
  through('a relation QueryBuilder built before', async (ds) => {
    const book = await ds.getRepository(Book).save({ title: 'b' });
    const author = await known(ds);
    const builder = ds.createQueryBuilder().relation(Author, 'books').of(author);
    return () => builder.add(book);
  }),
  through(
    'a save with cascades',
    (ds) => () => ds.getRepository(Author).save({ name: 'a', books: [{ title: 'b' }, { title: 'c' }] }),
  ),
  through('a lazy relation that is assigned', async (ds) => {
    const author = await known(ds);
    const review = await ds.getRepository(Review).findOneByOrFail({ text: 'of nobody yet' });
    return () => {
      review.about = Promise.resolve(author);
      return ds.getRepository(Review).save(review);
    };
  }),
  through(
    'a tree repository',
    (ds) => () =>
      ds.getTreeRepository(Genre).save({ name: 'root', children: [{ name: 'leaf' }, { name: 'leaf too' }] }),
  ),
  through(
    "subscribers, through the event's manager and through a repository",
    (ds) => () => ds.getRepository(Author).save({ name: 'announced' }),
  ),
  through(
    'dataSource.transaction()',
    (ds) => () => ds.transaction((manager) => manager.save(Author, { name: 'a' })),
  ),
  through(
    'a repository inside dataSource.transaction()',
    (ds) => () => ds.transaction(() => ds.getRepository(Author).save({ name: 'a' })),
  ),
  through(
    'dataSource.transaction() inside dataSource.transaction()',
    (ds) => () => ds.transaction((outer) => outer.transaction((inner) => inner.save(Author, { name: 'a' }))),
  ),
  through('captured manager.transaction()', ({ manager }) => {
    return () => manager.transaction((inner) => inner.save(Author, { name: 'a' }));
  }),
  through('createEntityManager().transaction()', (ds) => {
    const manager = ds.createEntityManager();
    return () => manager.transaction((inner) => inner.save(Author, { name: 'a' }));
  }),
  through('createQueryRunner()', (ds) => async () => {
    const runner = ds.createQueryRunner();
    try {
      await runner.query(`INSERT INTO author (name) VALUES ('a')`);
      await runner.manager.save(Author, { name: 'b' });
    } finally {
      await runner.release();
    }
  }),
  through('createQueryRunner() with a transaction by hand', (ds) => async () => {
    const runner = ds.createQueryRunner();
    await runner.connect();
    await runner.startTransaction();
    try {
      await runner.manager.save(Author, { name: 'a' });
      await runner.commitTransaction();
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    } finally {
      await runner.release();
    }
  }),
  through('createEntityManager(queryRunner)', (ds) => async () => {
    const runner = ds.createQueryRunner();
    try {
      await ds.createEntityManager(runner).save(Author, { name: 'a' });
    } finally {
      await runner.release();
    }
  }),
  through('createQueryRunner() that is disposed of with its transaction open', (ds) => async () => {
    const runner = ds.createQueryRunner();
    try {
      await runner.startTransaction();
      await runner.manager.save(Author, { name: 'rolled back, for it was not committed' });
    } finally {
      await runner[Symbol.asyncDispose]();
    }
    await ds.getRepository(Author).save({ name: 'a' });
  }),
];
