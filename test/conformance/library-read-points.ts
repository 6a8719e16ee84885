import type { DataSource } from 'typeorm';
import { Author, AuthorRepository, Book, Genre, Review, Shelf } from './library-entities.js';
import { newAuthor } from './library-entry-points.js';

/** A way of reading. */
export interface ReadPoint {
  readonly name: string;
  /** Runs before the transaction and answers what reads inside. */
  readonly prepare: (dataSource: DataSource) => Read | Promise<Read>;
}

/** Resolves to something that tells the author, and what belongs to it, that only the transaction can see. */
type Read = () => Promise<unknown>;

const through = (name: string, prepare: ReadPoint['prepare']): ReadPoint => ({ name, prepare });
const name = newAuthor;
const seen = (found: unknown): unknown => found;

/** Entry points that read. */
export const readers: readonly ReadPoint[] = [
  through('repository.find', (ds) => {
    const authors = ds.getRepository(Author);
    return async () => (await authors.find({ where: { name } })).length;
  }),
  through('repository.findOne with joined relations', (ds) => {
    const authors = ds.getRepository(Author);
    return async () => (await authors.findOne({ where: { name }, relations: { books: true } }))?.books.length;
  }),
  through('repository.findOne with relations by query', (ds) => {
    const authors = ds.getRepository(Author);
    return async () => {
      const [author] = await authors.find({
        where: { name },
        relations: { books: true },
        relationLoadStrategy: 'query',
      });
      return author?.books.length;
    };
  }),
  through('repository.findAndCount', (ds) => {
    const authors = ds.getRepository(Author);
    return async () => (await authors.findAndCount({ where: { name } }))[1];
  }),
  through('repository.count', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.countBy({ name });
  }),
  through('repository.exists', (ds) => {
    const authors = ds.getRepository(Author);
    return async () => Number(await authors.existsBy({ name }));
  }),
  through('repository.maximum', (ds) => {
    const authors = ds.getRepository(Author);
    return () => authors.maximum('prizes', { name });
  }),
  through('repository.preload', (ds) => {
    const authors = ds.getRepository(Author);
    return async () => {
      const { id } = await authors.findOneByOrFail({ name });
      return Number((await authors.preload({ id, prizes: 5 }))?.name === name);
    };
  }),
  through('a repository with a lock', (ds) => {
    const authors = ds.getRepository(Author);
    return async () => (await authors.find({ where: { name }, lock: { mode: 'pessimistic_write' } })).length;
  }),
  through('class extends Repository', (ds) => {
    const authors = new AuthorRepository(Author, ds.manager);
    return () => authors.countBy({ name });
  }),
  through('a captured EntityManager', ({ manager }) => {
    return async () => (await manager.find(Author, { where: { name } })).length;
  }),
  through('createEntityManager()', (ds) => {
    const manager = ds.createEntityManager();
    return () => manager.countBy(Author, { name });
  }),
  through('dataSource.query', (ds) => {
    return async () => ((await ds.query(`SELECT 1 FROM author WHERE name = $1`, [name])) as unknown[]).length;
  }),
  through('ActiveRecord', (ds) => {
    Shelf.useDataSource(ds);
    return async () => (await Shelf.findBy({ label: name })).length;
  }),
  through('a select QueryBuilder built before: getMany', (ds) => {
    const builder = ds.getRepository(Author).createQueryBuilder('a').where({ name });
    return async () => (await builder.getMany()).length;
  }),
  through('a select QueryBuilder built before: getManyAndCount with a join and a page', (ds) => {
    const builder = ds.getRepository(Author).createQueryBuilder('a').leftJoinAndSelect('a.books', 'b');
    return async () => (await builder.where('a.name = :name', { name }).take(5).getManyAndCount())[1];
  }),
  through('a select QueryBuilder built before: getRawOne', (ds) => {
    const builder = ds.createQueryBuilder(Author, 'a').select('count(*)::int', 'count').where({ name });
    return async () => (await builder.getRawOne<{ count: number }>())?.count;
  }),
  through('a select QueryBuilder built before: stream', (ds) => {
    const builder = ds.createQueryBuilder(Author, 'a').where({ name });
    return async () => {
      let rows = 0;
      for await (const row of await builder.stream()) rows += Number(seen(row) !== undefined);
      return rows;
    };
  }),
  through('a stream that is left early', (ds) => {
    const builder = ds.createQueryBuilder(Author, 'a').where({ name });
    return async () => {
      for await (const _ of await builder.stream()) break;
      return ds.getRepository(Author).countBy({ name });
    };
  }),
  through('queryRunner.stream', (ds) => async () => {
    const runner = ds.createQueryRunner();
    try {
      let rows = 0;
      const stream = await runner.stream('SELECT 1 FROM author WHERE name = $1', [name]);
      for await (const row of stream) rows += Number(seen(row) !== undefined);
      return rows;
    } finally {
      await runner.release();
    }
  }),
  through('a lazy relation of an entity loaded before', async (ds) => {
    const known = await ds.getRepository(Author).findOneByOrFail({ name: 'Known' });
    return async () => (await known.reviews).length;
  }),
  through('a lazy relation to one, of an entity loaded before', async (ds) => {
    const review = await ds.getRepository(Review).findOneByOrFail({ text: 'of nobody yet' });
    return async () => Number((await review.about)?.name === name);
  }),
  through('the query cache', (ds) => {
    const authors = ds.getRepository(Author);
    return async () =>
      (await authors.find({ where: { name }, cache: { id: 'authors', milliseconds: 60_000 } })).length;
  }),
  through('a tree repository', (ds) => async () => {
    const [root] = await ds.getTreeRepository(Genre).findTrees();
    return root?.children.length;
  }),
  through('relation loading of a QueryBuilder', (ds) => async () => {
    const author = await ds.getRepository(Author).findOneByOrFail({ name });
    return (await ds.createQueryBuilder().relation(Author, 'books').of(author).loadMany<Book>()).length;
  }),
  through('dataSource.transaction()', (ds) => {
    return () => ds.transaction((manager) => manager.countBy(Author, { name }));
  }),
];
