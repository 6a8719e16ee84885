import type { StatementFailedError } from '../../../src/migrations/errors.js';
import { DRIVERS, failureOf, statement, statements, useServer } from './drivers.js';

const inserts = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `INSERT INTO item (id) VALUES (${from + index})`);

describe.each(DRIVERS)('a session of %s', (driver) => {
  const server = useServer(driver);

  beforeEach(() =>
    server.query(
      `CREATE TABLE item (id int PRIMARY KEY, name varchar(20))${driver === 'pg' ? '' : ' CHARSET utf8mb4'}`,
    ),
  );
  afterEach(() => server.query('DROP TABLE item'));
  const count = async (): Promise<number> =>
    Number((await server.query<{ n: string }>('SELECT count(*) AS n FROM item'))[0]!.n);

  test('knows what the server is', async () => {
    const session = await server.open();
    const { product, version, versionNumber, ...facts } = session.server;
    expect([session.driver, session.dialect]).toEqual([driver, driver === 'pg' ? 'postgres' : 'mysql']);
    expect(version).toContain(String(Math.floor(versionNumber / 10_000)));
    expect(facts).toEqual({
      supportsTransactionalDdl: product === 'postgres',
      isGalera: false,
      isReadOnly: false,
    });
    const id = driver === 'pg' ? 'pg_backend_pid()' : 'CONNECTION_ID()';
    expect(await session.query(`SELECT ${id} AS id`)).toEqual([{ id: session.backendId }]);
  });

  test('reads the values of its own queries in one way on every driver', async () => {
    const session = await server.open();
    const p = (number: number): string => session.placeholder(number);
    await session.query(`INSERT INTO item (id, name) VALUES (${p(1)}, ${p(2)})`, [1, `it's a \\ "$1"`]);
    await session.query(`INSERT INTO item (id, name) VALUES (${p(1)}, ${p(2)})`, [2, null]);
    expect(await session.query(`SELECT id, name FROM ${session.quote('item')} ORDER BY id`)).toEqual([
      { id: 1, name: `it's a \\ "$1"` },
      { id: 2, name: null },
    ]);
    expect(await session.query('SELECT count(*) AS n, 9007199254740993 AS big FROM item')).toEqual([
      { n: 2, big: '9007199254740993' },
    ]);
    const [row] = await session.query<{ at: Date }>("SELECT timestamp '2026-01-31 12:30:00' AS at");
    expect(row!.at).toEqual(new Date(2026, 0, 31, 12, 30));
  });

  test('runs statements in order and answers for each', async () => {
    const session = await server.open();
    await session.query('BEGIN');
    const outcomes = await session.run(
      statements(
        'INSERT INTO item (id) VALUES (1), (2) -- a comment without an end of line',
        "UPDATE item SET name = 'x'",
        'SELECT id FROM item',
        'DELETE FROM item WHERE id = 2',
        ...inserts(10, 1209),
      ),
    );
    expect(outcomes.slice(0, 4).map(({ rowCount }) => rowCount)).toEqual([2, 2, 2, 1]);
    expect(outcomes).toHaveLength(1204);
    expect(outcomes.every(({ warningCount, warnings }) => warningCount + warnings.length === 0)).toBe(true);
    await session.query('COMMIT');
    expect(await count()).toBe(1201);
  });

  test.each([0, 1, 17, 199, 200, 450, 700])(
    'names the statement that the server refused by its data: %i',
    async (at) => {
      const session = await server.open();
      await session.query('BEGIN');
      const all = inserts(1, 701);
      all[at] = 'INSERT INTO item (id) SELECT 1 UNION ALL SELECT 1';
      const error = await failureOf<StatementFailedError>(session.run(statements(...all)));
      expect(error).toMatchObject({ code: 'STATEMENT_FAILED', at, offset: undefined, outcomeUnknown: false });
      expect(error.message).toMatch(driver === 'pg' ? /\[23505\]/ : /\[1062\]/);
      await session.query('ROLLBACK');
      expect(await count()).toBe(0);
    },
  );

  test.each([0, 17, 199, 200, 450])(
    'points at the place of a syntax error, statement %i, behind characters of every width',
    async (at) => {
      const session = await server.open();
      await session.query('BEGIN');
      const all = Array.from({ length: 451 }, (_, index) => `INSERT INTO item VALUES (${index}, 'ä😀')`);
      const text = "SELECT '😀ß' AS a,\n       'é' AS\n  b FORM item";
      all[at] = text;
      const error = await failureOf<StatementFailedError>(session.run(statements(...all)));
      expect(error).toMatchObject({ at, outcomeUnknown: false });
      expect(text.slice(error.offset)).toMatch(/^FORM item$/);
      expect(error.message).not.toContain('INSERT');
      await session.query('ROLLBACK');
    },
  );

  test('says where a statement ended too early', async () => {
    const session = await server.open();
    await session.query('BEGIN');
    const text = 'SELECT id FROM item WHERE';
    const error = await failureOf<StatementFailedError>(
      session.run(statements(...inserts(1, 3), text, ...inserts(4, 5))),
    );
    expect(error).toMatchObject({ at: 3, offset: text.length });
    await session.query('ROLLBACK');
  });

  test('outside a transaction keeps what ran before the statement that failed', async () => {
    const session = await server.open();
    const error = await failureOf<StatementFailedError>(
      session.run(statements(...inserts(1, 5), 'INSERT INTO item (id) VALUES (1)', ...inserts(6, 9))),
    );
    expect(error.at).toBe(5);
    expect(await count()).toBe(5);
  });

  test('nothing behind a failed statement runs, even when the failure ended the transaction', async () => {
    await server.query('INSERT INTO item (id) VALUES (1), (2)');
    const [session, other] = [await server.open(), await server.open()];
    // PostgreSQL ends the one that looks first, MySQL the one that has written less.
    if (driver === 'pg') {
      await session.query("SET deadlock_timeout = '50ms'");
      await other.query("SET deadlock_timeout = '20s'");
    }
    for (const each of [session, other]) await each.query('BEGIN');
    await session.query("UPDATE item SET name = 'mine' WHERE id = 1");
    await other.run(statements(...inserts(1000, 1100)));
    await other.query("UPDATE item SET name = 'theirs' WHERE id = 2");
    const theirs = other.query("UPDATE item SET name = 'theirs' WHERE id = 1");
    // Whoever looks before the other one waits finds no deadlock, and does not look again.
    const waits = `SELECT 1 FROM pg_stat_activity WHERE pid = ${other.backendId} AND wait_event_type = 'Lock'`;
    while (driver === 'pg' && (await server.query(waits)).length === 0) await new Promise(setImmediate);
    const error = await failureOf<StatementFailedError>(
      session.run(
        statements(...inserts(10, 13), "UPDATE item SET name = 'mine' WHERE id = 2", ...inserts(14, 20)),
      ),
    );
    expect(error).toMatchObject({ code: 'STATEMENT_FAILED', at: 4, retryable: true });
    expect(session.inTransaction).toBe(driver === 'pg');
    await theirs;
    for (const each of [session, other]) await each.query('ROLLBACK');
    expect(await count()).toBe(2);
  });

  test('knows from the protocol whether a transaction is open', async () => {
    const session = await server.open();
    expect(session.inTransaction).toBe(false);
    await session.query('BEGIN');
    expect(session.inTransaction).toBe(true);
    await failureOf(session.run(statements('INSERT INTO item (id) VALUES (1)', 'SELECT nope')));
    expect(session.inTransaction).toBe(true);
    await session.query('ROLLBACK');
    expect(session.inTransaction).toBe(false);
    await failureOf(session.run(statements('SELECT nope')));
    expect(session.inTransaction).toBe(false);
    await session.run(statements('BEGIN', 'INSERT INTO item (id) VALUES (1)'));
    expect(session.inTransaction).toBe(true);
    await session.run(statements('COMMIT'));
    expect(session.inTransaction).toBe(false);
    expect(await count()).toBe(1);
  });

  test('cancels what runs, and goes on', async () => {
    const session = await server.open();
    const sleep = driver === 'pg' ? 'SELECT pg_sleep(30)' : 'SELECT SLEEP(30) FROM item';
    await server.query('INSERT INTO item (id) VALUES (1)');
    const running = failureOf<StatementFailedError>(session.run([statement(sleep)]));
    const table =
      driver === 'pg'
        ? `SELECT 1 AS x FROM pg_stat_activity WHERE pid = ${session.backendId} AND query LIKE '%pg_sleep(30)%' AND state = 'active'`
        : `SELECT 1 AS x FROM information_schema.processlist WHERE id = ${session.backendId} AND info LIKE '%SLEEP(30)%'`;
    while ((await server.query(table)).length === 0) await new Promise(setImmediate);
    await session.cancel();
    const error = await running;
    expect(error).toMatchObject({ code: 'STATEMENT_FAILED', at: 0, outcomeUnknown: false });
    expect(session.lost).toBeUndefined();
    expect(await session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('ends its connection, and says so to whoever uses it still', async () => {
    const session = await server.open();
    const { backendId } = session;
    await session.end();
    await session.end();
    expect(session.lost).toBeInstanceOf(Error);
    expect(session.inTransaction).toBe(false);
    await failureOf(session.query('SELECT 1'));
    await failureOf(session.run(statements('SELECT 1')));
    await session.cancel();
    const open =
      driver === 'pg'
        ? `SELECT 1 FROM pg_stat_activity WHERE pid = ${backendId}`
        : `SELECT 1 FROM information_schema.processlist WHERE id = ${backendId}`;
    // The server takes a session off its list some time after it has read the goodbye; a session that stays is met by
    // the test's time limit.
    while ((await server.query(open)).length > 0) await new Promise(setImmediate);
  });
});
