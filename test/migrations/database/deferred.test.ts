import type { StatementFailedError } from '../../../src/migrations/errors.js';
import { DRIVERS, failureOf, statement, useServer } from './drivers.js';

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
