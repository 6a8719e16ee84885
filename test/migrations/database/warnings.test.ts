import type { StatementFailedError } from '../../../src/migrations/errors.js';
import { failureOf, MYSQL_DRIVERS, statements, useServer } from './drivers.js';

/** Statements that are silent, to stand in front of and behind the one in question. */
const around = (from: number): string[] =>
  Array.from({ length: 20 }, (_, index) => `INSERT INTO item (id) VALUES (${from + index})`);

describe.each(MYSQL_DRIVERS)('warnings on %s', (driver) => {
  const server = useServer(driver);
  beforeEach(() => server.query(`CREATE TABLE item (id int PRIMARY KEY, name varchar(3)) CHARSET utf8mb4`));
  afterEach(() => server.query('DROP TABLE item'));

  test.each([
    ['INSERT IGNORE', "INSERT IGNORE INTO item VALUES (1, 'abcdef')", '1265', 'warning'],
    ['a duplicate that is ignored', 'INSERT IGNORE INTO item (id) VALUES (100)', '1062', 'warning'],
    ['UPDATE IGNORE', "UPDATE IGNORE item SET name = 'abcdef' WHERE id = 100", '1265', 'warning'],
    ['a procedure', 'CALL p()', '1000', 'warning'],
    ['a note', 'DROP TEMPORARY TABLE IF EXISTS nope', '1051', 'note'],
  ])('are told with their text in the middle of a packet: %s', async (_, sql, code, level) => {
    await server.query(
      `CREATE OR REPLACE PROCEDURE p() BEGIN SELECT 1; SELECT 2; SIGNAL SQLSTATE '01000' SET MYSQL_ERRNO = 1000; END`,
    );
    const session = await server.open();
    await session.query('BEGIN');
    const outcomes = await session.run(statements(...around(100), sql, ...around(200)));
    expect(outcomes).toHaveLength(41);
    expect(outcomes[20]).toMatchObject({ warningCount: 1, warnings: [{ code, level }] });
    expect(outcomes.filter(({ warningCount, warnings }) => warningCount + warnings.length > 0)).toHaveLength(
      1,
    );
    await session.query('ROLLBACK');
  });

  test('are told where the server is not strict, each with its text', async () => {
    const session = await server.open();
    await session.run(statements("SET sql_mode = ''"));
    await session.query('BEGIN');
    const outcomes = await session.run(
      statements(
        ...around(100),
        "INSERT INTO item VALUES (1, 'abcdef')",
        "INSERT INTO item VALUES (2, 'abcdef')",
      ),
    );
    expect(outcomes.slice(20).map(({ warnings }) => warnings.map(({ code }) => code))).toEqual([
      ['1265'],
      ['1265'],
    ]);
    expect(outcomes.slice(0, 20).every(({ warningCount }) => warningCount === 0)).toBe(true);
    await session.query('ROLLBACK');
  });

  // A time that is cut off from a date is a note in strict mode, of a statement that is not asked for its warnings at first.
  const cut = "INSERT INTO item (id, day) VALUES (1, '2026-01-31 10:00:00')";

  test('an INSERT that was not asked for them is undone with its packet, and all is sent once more', async () => {
    await server.query('ALTER TABLE item ADD COLUMN day date');
    const session = await server.open();
    await session.query('BEGIN');
    const outcomes = await session.run(statements(...around(100), cut, ...around(200)));
    expect(outcomes[20]).toMatchObject({ warningCount: 1, warnings: [{ code: '1265', level: 'note' }] });
    await session.query('COMMIT');
    expect(await server.query('SELECT count(*) AS count FROM item')).toEqual([{ count: 41 }]);
  });

  test('are counted and explained where the packet cannot be undone, and nothing is written twice', async () => {
    await server.query('ALTER TABLE item DROP PRIMARY KEY, ADD COLUMN day date, ENGINE = MyISAM');
    const session = await server.open();
    await session.query('BEGIN');
    const outcomes = await session.run(statements(...around(100), cut, ...around(200)));
    expect(outcomes[20]).toMatchObject({
      warningCount: 1,
      warnings: [
        { code: '0', level: 'warning', message: expect.stringContaining('Run the statement by itself') },
      ],
    });
    await session.query('COMMIT');
    expect(await server.query('SELECT count(*) AS count FROM item')).toEqual([{ count: 41 }]);
  });

  test.each([
    ['are all kept', { keeps: 1024, count: 1024, warnings: 1024 }],
    ['are more than the server keeps', { keeps: 1024, count: 1025, warnings: 1025 }],
    ['are kept as many as the migration asks for', { keeps: 3, count: 5, warnings: 4 }],
    ['are not kept at all', { keeps: 0, count: 2, warnings: 1 }],
  ])('of a statement are counted where they %s', async (_, { keeps, count, warnings }) => {
    const session = await server.open();
    if (keeps !== 1024) await session.run(statements(`SET SESSION max_error_count = ${keeps}`));
    const [outcome] = await session.run(
      statements(`INSERT IGNORE INTO item SELECT seq, 'abcdef' FROM seq_1_to_${count}`),
    );
    expect(outcome!.warningCount).toBe(count);
    expect(outcome!.warnings).toHaveLength(warnings);
    expect(outcome!.warnings.filter(({ code }) => code === '0')).toHaveLength(count > keeps ? 1 : 0);
  });

  test('a recursion that was cut off is told', async () => {
    const session = await server.open();
    const [outcome] = await session.run(
      statements(
        'INSERT IGNORE INTO item (id) SELECT n FROM (WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 1500) SELECT n FROM s) x',
      ),
    );
    expect(outcome!.warnings).toMatchObject([{ code: '1931', level: 'warning' }]);
  });

  test('routines are created without IGNORE_SPACE, which the drivers switch on', async () => {
    const session = await server.open();
    await session.run(statements('CREATE OR REPLACE PROCEDURE q() SELECT 1'));
    const [row] = await server.query<{ mode: string }>(
      "SELECT sql_mode AS mode FROM information_schema.routines WHERE routine_name = 'q' AND routine_schema = DATABASE()",
    );
    const [server_] = await server.query<{ mode: string }>('SELECT @@GLOBAL.sql_mode AS mode');
    expect(row!.mode).toBe(server_!.mode);
  });

  test('the results of a procedure in the middle do not shift those of others', async () => {
    const session = await server.open();
    await server.query(
      'CREATE OR REPLACE PROCEDURE r() BEGIN SELECT 1; SELECT 2; INSERT INTO item (id) VALUES (1); END',
    );
    await session.query('BEGIN');
    const outcomes = await session.run(statements(...around(100), 'CALL r()', 'UPDATE item SET name = id'));
    expect(outcomes.slice(-2).map(({ rowCount }) => rowCount)).toEqual([1, 21]);
    const error = await failureOf<StatementFailedError>(
      session.run(statements(...around(300), 'CALL r()', ...around(400))),
    );
    expect(error.at).toBe(20);
    await session.query('ROLLBACK');
  });

  test('a statement that is larger than the server takes is refused with the name of the setting', async () => {
    const session = await server.open();
    const [row] = await session.query<{ bytes: number }>('SELECT @@max_allowed_packet AS bytes');
    const large = `INSERT INTO item (id) VALUES (1) -- ${'x'.repeat(row!.bytes)}`;
    const error = await failureOf<StatementFailedError>(session.run(statements('SELECT 1', large)));
    expect(error).toMatchObject({ at: 1, message: expect.stringMatching(/max_allowed_packet/) });
    expect(await session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('a packet of many large statements is cut below what the server takes', async () => {
    const session = await server.open();
    await session.query('ALTER TABLE item MODIFY name longtext');
    await session.query('BEGIN');
    const large = Array.from(
      { length: 9 },
      (_, index) => `INSERT INTO item VALUES (${index}, '${'é'.repeat(1_500_000)}')`,
    );
    expect(await session.run(statements(...large))).toHaveLength(9);
    await session.query('ROLLBACK');
  });
});
