import { DataSource } from 'typeorm';
import { type LeaseInfo, runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { AuthorSubscriber, libraryEntities, Notice } from './library-entities.js';
import { knownAuthor, writers } from './library-entry-points.js';
import { failureOf, openings } from './ways-in.js';

/** The tables of the library. TypeORM would make the unique name a text, of which MySQL takes no index. */
const db = useMysqlDatabase([
  'CREATE TABLE author (id int AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, prizes int NOT NULL DEFAULT 0, deletedAt datetime(6))',
  'CREATE TABLE book (id int AUTO_INCREMENT PRIMARY KEY, title text NOT NULL, authorId int, FOREIGN KEY (authorId) REFERENCES author (id))',
  'CREATE TABLE review (id int AUTO_INCREMENT PRIMARY KEY, text text NOT NULL, aboutId int, FOREIGN KEY (aboutId) REFERENCES author (id))',
  'CREATE TABLE shelf (id int AUTO_INCREMENT PRIMARY KEY, label text NOT NULL)',
  'CREATE TABLE genre (id int AUTO_INCREMENT PRIMARY KEY, name text NOT NULL, parentId int)',
  'CREATE TABLE genre_closure (id_ancestor int, id_descendant int, PRIMARY KEY (id_ancestor, id_descendant))',
  'CREATE TABLE notice (id int AUTO_INCREMENT PRIMARY KEY, text text NOT NULL)',
]);
const tables = ['author', 'book', 'review', 'shelf', 'genre', 'genre_closure', 'notice'];
const boom = new Error('rolled back');
const leases: LeaseInfo[] = [];
let dataSource: DataSource;

beforeAll(async () => {
  dataSource = new DataSource({
    type: 'mariadb',
    url: db.url,
    entities: libraryEntities,
    subscribers: [AuthorSubscriber],
    poolSize: 4,
  });
  await dataSource.initialize();
  const { primary } = manageDataSource(dataSource);
  db.defer(() => dataSource.destroy());
  primary.observe({ acquired: (lease) => leases.push(lease) });
});

beforeEach(async () => {
  await db.truncate();
  await db.query('INSERT INTO author (name) VALUES (?)', [knownAuthor]);
  await db.query("INSERT INTO review (text) VALUES ('of nobody yet')");
});

type Ask = (sql: string) => Promise<unknown>;

/** All rows of all tables. */
async function rowsSeenBy(ask: Ask): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const table of tables) rows.push(await ask(`SELECT * FROM ${table} ORDER BY 1, 2`));
  return rows;
}
const committed = (): Promise<unknown[]> => rowsSeenBy((sql) => db.query(sql));
const seenInside = (): Promise<unknown[]> => rowsSeenBy((sql) => dataSource.query(sql));

const ofPostgres = ['a captured EntityManager: query', 'repository.clear'];
const entryPoints = writers.filter(({ name }) => !ofPostgres.includes(name));

describe.each(openings)('in $name', (opening) => {
  describe.each(entryPoints)('$name', ({ prepare }) => {
    test('writes in the transaction: on its one connection, unseen until COMMIT', async () => {
      const act = await prepare(dataSource);
      const before = await committed();
      leases.length = 0;
      const own = await opening.run(async () => {
        await act();
        expect(await committed()).toEqual(before);
        return seenInside();
      });
      expect(leases.map(({ kind }) => kind)).toEqual(['transaction']);
      expect(await committed()).toEqual(own);
      expect(own).not.toEqual(before);
    });

    test('leaves nothing after a rollback', async () => {
      const act = await prepare(dataSource);
      const before = await committed();
      const called = opening.run(async () => {
        await act();
        expect(await seenInside()).not.toEqual(before);
        throw boom;
      });
      expect(await failureOf(called)).toBe(boom);
      expect(await committed()).toEqual(before);
    });

    test('inside a NESTED method that fails: undone with it, the outer one is kept', async () => {
      const act = await prepare(dataSource);
      const before = await committed();
      await opening.run(async () => {
        const nested = runInTransaction(
          async () => {
            await act();
            throw boom;
          },
          { propagation: 'NESTED' },
        );
        expect(await failureOf(nested)).toBe(boom);
        expect(await seenInside()).toEqual(before);
        await dataSource.getRepository(Notice).insert({ text: 'outer' });
      });
      expect((await committed()).at(-1)).toEqual([expect.objectContaining({ text: 'outer' })]);
    });
  });

  test('repository.clear() truncates, which would commit: it is refused', async () => {
    const called = opening.run(() => dataSource.getRepository(Notice).clear());
    expect(await failureOf(called)).toMatchObject({ code: 'TRANSACTION_CONTROL' });
  });
});
