import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { runInTransaction, unmanagePool, type LeaseInfo } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../harness/database.js';
import { auditSql, AuthorSubscriber, libraryEntities } from './library-entities.js';
import { knownAuthor, newAuthor, writers } from './library-entry-points.js';
import { readers } from './library-read-points.js';
import { expectCleanPool, failureOf, openings } from './ways-in.js';

const db = useDatabase({ schema: 'SELECT' });
const boom = new Error('rolled back');
let dataSource: DataSource;
let pool: Pool;
const leases: LeaseInfo[] = [];

beforeAll(async () => {
  dataSource = new DataSource({
    type: 'postgres',
    url: db.url,
    entities: libraryEntities,
    subscribers: [AuthorSubscriber],
    cache: true,
    poolSize: 4,
    synchronize: true,
  });
  await dataSource.initialize();
  ({ master: pool } = dataSource.driver as unknown as { master: Pool });
  db.track(pool);
  const { primary } = manageDataSource(dataSource);
  const stop = primary.observe({ acquired: (lease) => leases.push(lease) });
  db.defer(() => {
    stop();
    unmanagePool(primary);
  });
  await db.query(auditSql);
});

beforeEach(async () => {
  await db.truncate();
  await db.query(`
    INSERT INTO author (name) VALUES ('${knownAuthor}');
    INSERT INTO review (text) VALUES ('of nobody yet');
    TRUNCATE audit;
  `);
});

/** What the transaction does before the entry point's turn, seen by nobody else. */
async function insertNew(): Promise<void> {
  await dataSource.query(`
    WITH new_author AS (INSERT INTO author (name, prizes) VALUES ('${newAuthor}', 1) RETURNING id),
         new_book   AS (INSERT INTO book (title, "authorId") SELECT 'new', id FROM new_author),
         of_nobody  AS (UPDATE review SET "aboutId" = (SELECT id FROM new_author)),
         of_known   AS (INSERT INTO review (text, "aboutId") SELECT 'new', id FROM author WHERE name = '${knownAuthor}'),
         shelf      AS (INSERT INTO shelf (label) VALUES ('${newAuthor}')),
         root       AS (INSERT INTO genre (name) VALUES ('root') RETURNING id),
         leaf       AS (INSERT INTO genre (name, "parentId") SELECT 'leaf', id FROM root RETURNING id, "parentId")
    INSERT INTO genre_closure (id_ancestor, id_descendant)
      SELECT id, id FROM root UNION ALL SELECT id, id FROM leaf UNION ALL SELECT "parentId", id FROM leaf
  `);
}

interface Change {
  readonly pid: number;
  readonly txid: string;
}

const changesSql = 'SELECT DISTINCT pid, txid FROM audit';

async function ownIdentity(): Promise<Change> {
  const [row] = await dataSource.query<Change[]>(
    'SELECT pg_backend_pid() AS pid, pg_current_xact_id()::text AS txid',
  );
  return row!;
}

describe.each(openings)('in $name', (opening) => {
  describe.each(writers)('$name', ({ prepare }) => {
    test('writes in the transaction: same connection, same txid, unseen until COMMIT', async () => {
      const act = await prepare(dataSource);
      await db.query('TRUNCATE audit');
      leases.length = 0;
      const own = await opening.run(async () => {
        const identity = await ownIdentity();
        await act();
        expect(await dataSource.query(changesSql)).toEqual([identity]);
        expect(await db.query(changesSql)).toEqual([]);
        return identity;
      });
      expect(leases.map(({ kind, backendId }) => ({ kind, backendId }))).toEqual([
        { kind: 'transaction', backendId: own.pid },
      ]);
      expect(await db.query(changesSql)).toEqual([own]);
      await expectCleanPool(pool, db);
    });

    test('leaves nothing after a rollback, and another transaction can do the same again', async () => {
      const act = await prepare(dataSource);
      await db.query('TRUNCATE audit');
      const called = opening.run(async () => {
        await act();
        expect(await dataSource.query(changesSql)).toHaveLength(1);
        throw boom;
      });
      expect(await failureOf(called)).toBe(boom);
      expect(await db.query(changesSql)).toEqual([]);
      await opening.run(async () => void (await (await prepare(dataSource))()));
      expect(await db.query(changesSql)).toHaveLength(1);
      await expectCleanPool(pool, db);
    });

    test('inside a NESTED method that fails: undone with it, the outer one is kept', async () => {
      const act = await prepare(dataSource);
      await db.query('TRUNCATE audit');
      await opening.run(async () => {
        await dataSource.query(`INSERT INTO notice (text) VALUES ('outer')`);
        const nested = runInTransaction(
          async () => {
            await act();
            throw boom;
          },
          { propagation: 'NESTED' },
        );
        expect(await failureOf(nested)).toBe(boom);
      });
      expect(await db.query('SELECT "table" FROM audit')).toEqual([{ table: 'notice' }]);
      await expectCleanPool(pool, db);
    });
  });

  describe.each(readers)('$name', ({ prepare }) => {
    test('reads in the transaction: sees its uncommitted rows, on its one connection', async () => {
      const read = await prepare(dataSource);
      leases.length = 0;
      const called = opening.run(async () => {
        await insertNew();
        expect(await read()).toBe(1);
        throw boom;
      });
      expect(await failureOf(called)).toBe(boom);
      expect(leases.map(({ kind }) => kind)).toEqual(['transaction']);
      expect(await db.query(changesSql)).toEqual([]);
      await expectCleanPool(pool, db);
    });
  });

  test('what the query cache took up inside a transaction is gone after its rollback', async () => {
    const find = (): Promise<unknown[]> =>
      dataSource
        .getRepository('Author')
        .find({ where: { name: newAuthor }, cache: { id: 'authors', milliseconds: 60_000 } });
    const called = opening.run(async () => {
      await insertNew();
      expect(await find()).toHaveLength(1);
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await find()).toEqual([]);
    await dataSource.queryResultCache?.clear();
    await expectCleanPool(pool, db);
  });
});
