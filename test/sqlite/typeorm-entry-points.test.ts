import { runInTransaction } from 'holdfast';
import { AuthorSubscriber, libraryEntities, Notice, Shelf } from '../conformance/library-entities.js';
import { knownAuthor, writers } from '../conformance/library-entry-points.js';
import { failureOf } from '../conformance/observing.js';
import { openings } from '../conformance/ways-in.js';
import { sqliteTypes, useSqlite } from './sqlite-ways-in.js';

const schema = [
  'CREATE TABLE author (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL UNIQUE, prizes int NOT NULL DEFAULT 0, deletedAt datetime)',
  'CREATE TABLE book (id integer PRIMARY KEY AUTOINCREMENT, title text NOT NULL, authorId int REFERENCES author (id))',
  'CREATE TABLE review (id integer PRIMARY KEY AUTOINCREMENT, text text NOT NULL, aboutId int REFERENCES author (id))',
  'CREATE TABLE shelf (id integer PRIMARY KEY AUTOINCREMENT, label text NOT NULL)',
  'CREATE TABLE genre (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, parentId int)',
  'CREATE TABLE genre_closure (id_ancestor int, id_descendant int, PRIMARY KEY (id_ancestor, id_descendant))',
  'CREATE TABLE notice (id integer PRIMARY KEY AUTOINCREMENT, text text NOT NULL)',
  `INSERT INTO author (name) VALUES ('${knownAuthor}')`,
  "INSERT INTO review (text) VALUES ('of nobody yet')",
  "INSERT INTO notice (text) VALUES ('old')",
];
const tables = ['author', 'book', 'review', 'shelf', 'genre', 'genre_closure', 'notice'];
const boom = new Error('rolled back');
// Its placeholder is PostgreSQL's.
const entryPoints = writers.filter(({ name }) => name !== 'a captured EntityManager: query');

describe.each(sqliteTypes)('%s', (type) => {
  const source = useSqlite(type, { entities: libraryEntities, subscribers: [AuthorSubscriber], schema });

  const allRows = async (ask: (sql: string) => unknown): Promise<unknown[]> => {
    const rows: unknown[] = [];
    for (const table of tables) rows.push(await ask(`SELECT * FROM ${table} ORDER BY 1, 2`));
    return rows;
  };
  const seenHere = (): Promise<unknown[]> => allRows((sql) => source.dataSource.query(sql));
  const committed = (): Promise<unknown[]> =>
    source.other ? allRows((sql) => source.other!.prepare(sql).all()) : seenHere();

  describe.each(openings)('in $name', (opening) => {
    describe.each(entryPoints)('$name', ({ prepare }) => {
      test('writes in the transaction, unseen until COMMIT', async () => {
        const act = await prepare(source.dataSource);
        const before = await committed();
        const kinds: string[] = [];
        const stop = source.managed.observe({ acquired: ({ kind }) => kinds.push(kind) });
        let seenByOthers: unknown;
        const own = await opening.run(async () => {
          await act();
          seenByOthers = source.other ? await committed() : before;
          return seenHere();
        });
        stop();
        expect(seenByOthers).toEqual(before);
        expect(kinds).toEqual(['transaction']);
        expect(await committed()).toEqual(own);
        expect(own).not.toEqual(before);
      });

      test('leaves nothing after a rollback', async () => {
        const act = await prepare(source.dataSource);
        const before = await committed();
        const called = opening.run(async () => {
          await act();
          expect(await seenHere()).not.toEqual(before);
          throw boom;
        });
        expect(await failureOf(called)).toBe(boom);
        expect(await committed()).toEqual(before);
      });

      test('inside a NESTED method that fails: undone with it, the outer one is kept', async () => {
        const act = await prepare(source.dataSource);
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
          expect(await seenHere()).toEqual(before);
          await source.dataSource.getRepository(Notice).insert({ text: 'outer' });
        });
        expect((await committed()).at(-1)).toMatchObject([{ text: 'old' }, { text: 'outer' }]);
      });
    });
  });

  describe.each(entryPoints)('outside any transaction: $name', ({ prepare }) => {
    test('commits by itself, and gives the connection back', async () => {
      const act = await prepare(source.dataSource);
      const before = await committed();
      await act();
      expect(await committed()).not.toEqual(before);
      expect(source.managed.counts()).toMatchObject({ inUse: 0, pending: 0 });
    });

    test('two at once each have the connection to themselves', async () => {
      const act = await prepare(source.dataSource);
      const shelves = source.dataSource.getRepository(Shelf);
      const [, beside] = await Promise.all([act(), shelves.save([{ label: 'x' }, { label: 'y' }])]);
      for (const { id, label } of beside) expect(await shelves.findOneBy({ id })).toMatchObject({ label });
    });
  });
});
