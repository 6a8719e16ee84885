import type { StatementFailedError } from '../../../src/migrations/errors.js';
import type { MigrationSession } from '../../../src/migrations/database/session.js';
import { DRIVERS, failureOf, statement, statements, useServer } from './drivers.js';

describe.each(DRIVERS)('what is deferred, by %s', (driver) => {
  const server = useServer(driver);
  const begin = { text: driver === 'pg' ? 'BEGIN' : 'START TRANSACTION', begins: true };
  beforeEach(() => server.query('CREATE TABLE item (id int PRIMARY KEY, name varchar(100))'));
  afterEach(() => server.query('DROP TABLE item'));

  test('is in the transaction that it begins, before anything was sent', async () => {
    const session = await server.open();
    session.defer(begin);
    expect(session.inTransaction).toBe(true);
    await session.run([statement('INSERT INTO item (id) VALUES (1)')]);
    expect(session.inTransaction).toBe(true);
    await session.query('ROLLBACK');
    expect(session.inTransaction).toBe(false);
    expect(await server.query('SELECT * FROM item')).toEqual([]);
  });

  test('takes values as a query does, and gives the rows of what it travels with', async () => {
    const session = await server.open();
    const name = String.raw`it's a \ $1 ? "name" -- é`;
    const text = `INSERT INTO item (id, name) VALUES (3 - ${session.placeholder(1)}, ${session.placeholder(2)})`;
    session.defer({ text, values: [-4, name] });
    session.defer({ text, values: [3, null] });
    const last = `SELECT id, name FROM item WHERE id > ${session.placeholder(1)} ORDER BY id`;
    expect(await session.query(last, [-1])).toEqual([
      { id: 0, name: null },
      { id: 7, name },
    ]);
  });

  test.each([
    ['that the server cannot read', 'SELEC 1'],
    ['that fails while it runs', 'INSERT INTO item (id) VALUES (1)'],
  ])('moves no place of an error: the third statement is one %s', async (_, text) => {
    const session = await server.open();
    session.defer(begin);
    const sent = ['INSERT INTO item (id) VALUES (1)', 'INSERT INTO item (id) VALUES (2)', text];
    const error = await failureOf<StatementFailedError>(session.run(sent.map((each) => statement(each))));
    expect(error).toMatchObject({ at: 2 });
    // Either it began, or it is still to begin: a rollback is due.
    expect(session.inTransaction).toBe(true);
    await session.query('ROLLBACK');
    expect(session.inTransaction).toBe(false);
    expect(await server.query('SELECT * FROM item')).toEqual([]);
  });

  test('that fails keeps what it travels with from running', async () => {
    const session = await server.open();
    session.defer(begin);
    session.defer({ text: 'INSERT INTO nowhere VALUES (1)' });
    await failureOf(session.query('COMMIT'));
    expect(session.inTransaction).toBe(true);
    await session.query('ROLLBACK');
  });
});

describe('what travels behind the statements of a migration, on PostgreSQL', () => {
  const server = useServer('pg');
  const item = (id: number): string => `INSERT INTO item (id) VALUES (${id})`;
  beforeEach(() => server.query('CREATE TABLE item (id int PRIMARY KEY)'));
  afterEach(() => server.query('DROP TABLE item'));

  const begun = async (): Promise<MigrationSession> => {
    const session = await server.open();
    session.defer({ text: 'BEGIN', begins: true });
    return session;
  };
  const commit =
    (session: MigrationSession, ...texts: readonly string[]) =>
    async (): Promise<void> => {
      for (const text of [...texts, 'COMMIT']) session.defer({ text });
      return Promise.resolve();
    };
  const ids = async (): Promise<unknown[]> =>
    (await server.query<{ id: number }>('SELECT id FROM item ORDER BY id')).map(({ id }) => id);

  test('is run behind the last of them, and answered by none', async () => {
    const session = await begun();
    const outcomes = await session.runWith!(statements(item(1), item(2)), {
      defer: commit(session, item(3)),
    });
    expect(outcomes.map(({ rowCount }) => rowCount)).toEqual([1, 1]);
    expect(session.inTransaction).toBe(false);
    expect(await ids()).toEqual([1, 2, 3]);
  });

  test('travels with the last packet of many', async () => {
    const session = await begun();
    const many = Array.from({ length: 450 }, (_, index) => item(index + 10));
    expect(await session.runWith!(statements(...many), { defer: commit(session, item(1)) })).toHaveLength(
      450,
    );
    expect(await ids()).toHaveLength(451);
  });

  test('is run behind the data of COPY', async () => {
    const session = await begun();
    const copy = { ...statement('COPY item FROM stdin'), kind: 'copy' as const, data: lines('7\n8\n') };
    await session.runWith!([statement(item(1)), copy], { defer: commit(session, item(9)) });
    expect(session.inTransaction).toBe(false);
    expect(await ids()).toEqual([1, 7, 8, 9]);
  });

  test.each([
    ['fails', item(1)],
    ['cannot be read', 'SELEC 1'],
  ])('is not run where a statement %s', async (_, bad) => {
    const session = await begun();
    const error = await failureOf<StatementFailedError>(
      session.runWith!(statements(item(1), bad), { defer: commit(session, item(3)) }),
    );
    expect(error).toMatchObject({ code: 'STATEMENT_FAILED', at: 1 });
    await session.query('ROLLBACK');
    expect(session.inTransaction).toBe(false);
    expect(await ids()).toEqual([]);
  });

  test('fails with its own error, which is of no statement of the migration', async () => {
    const session = await begun();
    const error = await failureOf(
      session.runWith!(statements(item(1)), { defer: commit(session, 'INSERT INTO nowhere VALUES (1)') }),
    );
    expect(error).toMatchObject({ code: '42P01' });
    expect(session.inTransaction).toBe(true);
    await session.query('ROLLBACK');
    expect(await ids()).toEqual([]);
  });

  test('is a COMMIT that the server refuses: nothing is begun anew', async () => {
    await server.query('CREATE TABLE other (id int REFERENCES item DEFERRABLE INITIALLY DEFERRED)');
    const session = await begun();
    const error = await failureOf(
      session.runWith!(statements('INSERT INTO other VALUES (5)'), { defer: commit(session) }),
    );
    expect(error).toMatchObject({ code: '23503' });
    expect(session.inTransaction).toBe(false);
    await server.query('DROP TABLE other');
  });

  async function* lines(text: string): AsyncGenerator<string> {
    yield await Promise.resolve(text);
  }
});
