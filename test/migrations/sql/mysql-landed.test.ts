import type { MigrationSession } from '../../../src/migrations/database/session.js';
import type { Landed, SentStatement } from '../../../src/migrations/sql/landed.js';
import { mysqlLanded } from '../../../src/migrations/sql/mysql-landed.js';
import { readMysqlTraits } from '../../../src/migrations/sql/mysql-traits.js';
import { statement, useServer } from '../database/drivers.js';

const server = useServer('mysql2');

function sent(text: string): SentStatement {
  return { statement: statement(text), traits: readMysqlTraits(statement(text), 101111) };
}

/** As the journal keeps it. */
async function fingerprintOf(session: MigrationSession, one: SentStatement): Promise<string | undefined> {
  const fingerprint = await mysqlLanded.fingerprint(session, one);
  if (typeof fingerprint !== 'object') return fingerprint;
  const [row] = await session.query<{ answer: string }>(
    `SELECT (${fingerprint.sql}) AS answer`,
    fingerprint.values,
  );
  return row!.answer;
}

async function prepare(setUp: readonly string[]): Promise<MigrationSession> {
  const session = await server.open();
  for (const text of setUp) await session.query(text);
  return session;
}

/** Answers for a statement that was lost on its way, and for one whose answer was. */
async function answersFor(setUp: readonly string[], text: string): Promise<[Landed, Landed]> {
  const session = await prepare(setUp);
  const fingerprint = await fingerprintOf(session, sent(text));
  const lost = await mysqlLanded.landed(session, { ...sent(text), fingerprint });
  await session.query(text);
  return [lost, await mysqlLanded.landed(session, { ...sent(text), fingerprint })];
}

beforeEach(async () => {
  for (const { name, type } of await server.query<{ name: string; type: string }>(
    'SELECT table_name AS name, table_type AS type FROM information_schema.tables WHERE table_schema = DATABASE()',
  ))
    await server.query(
      `DROP ${type === 'VIEW' ? 'VIEW' : type === 'SEQUENCE' ? 'SEQUENCE' : 'TABLE'} \`${name}\``,
    );
  for (const kind of ['PROCEDURE', 'FUNCTION']) await server.query(`DROP ${kind} IF EXISTS p`);
  await server.query('DROP EVENT IF EXISTS e');
});

const A = 'CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, b INT)';
const ROW = 'INSERT INTO a (b) VALUES (1)';
const PARTS =
  'CREATE TABLE t (id INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (9), PARTITION p1 VALUES LESS THAN MAXVALUE)';
const VISIBLE: [Landed, Landed] = ['not landed', 'landed'];
const REPEATABLE: [Landed, Landed] = ['not landed', 'not landed'];
const UNKNOWN: [Landed, Landed] = ['unknown', 'unknown'];

describe('a statement that was in flight, before it ran and after it', () => {
  test.each<[string, string[], string, [Landed, Landed]]>([
    ['CREATE TABLE', [], A, VISIBLE],
    [
      'CREATE TABLE IF NOT EXISTS of one that exists',
      [A],
      'CREATE TABLE IF NOT EXISTS a (c INT)',
      REPEATABLE,
    ],
    [
      'CREATE OR REPLACE TABLE with a comment',
      [A, ROW],
      'CREATE /* or not */ OR REPLACE TABLE a (c INT)',
      VISIBLE,
    ],
    ['CREATE OR REPLACE TABLE', [A, ROW], 'CREATE OR REPLACE TABLE a (c INT)', VISIBLE],
    ['CREATE OR REPLACE TABLE as it was', [A], A.replace('CREATE', 'CREATE OR REPLACE'), REPEATABLE],
    ['CREATE TABLE LIKE', [A, ROW], 'CREATE TABLE c LIKE a', VISIBLE],
    ['CREATE TABLE AS SELECT with rows', [A, ROW], 'CREATE TABLE c AS SELECT * FROM a', VISIBLE],
    [
      'CREATE TABLE AS SELECT without rows',
      [A],
      'CREATE TABLE c AS (SELECT * FROM a)',
      ['not landed', 'unknown'],
    ],
    [
      'CREATE TABLE with a comment about SELECT',
      [],
      "CREATE TABLE c (d INT COMMENT 'select') /* select */",
      VISIBLE,
    ],
    ['ALTER TABLE', [A], 'ALTER TABLE a ADD COLUMN c INT', VISIBLE],
    ['ALTER TABLE that changes nothing', [A], 'ALTER TABLE a FORCE', REPEATABLE],
    ['ALTER TABLE AUTO_INCREMENT', [A], 'ALTER TABLE a AUTO_INCREMENT = 100', REPEATABLE],
    ['ALTER TABLE RENAME', [A], 'ALTER TABLE a RENAME TO c', VISIBLE],
    [
      'ALTER TABLE EXCHANGE PARTITION',
      [PARTS, 'CREATE TABLE a (id INT)'],
      'ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE a',
      VISIBLE,
    ],
    ['ALTER TABLE TRUNCATE PARTITION', [PARTS], 'ALTER TABLE t TRUNCATE PARTITION p0', VISIBLE],
    ['ALTER TABLE DROP PARTITION', [PARTS], 'ALTER TABLE t DROP PARTITION p0', VISIBLE],
    [
      'ALTER TABLE DISCARD TABLESPACE',
      ['CREATE TABLE a (id INT)'],
      'ALTER TABLE a DISCARD TABLESPACE',
      UNKNOWN,
    ],
    ['RENAME TABLE', [A], 'RENAME TABLE a TO c', VISIBLE],
    [
      'RENAME TABLE of two alike',
      [A, 'CREATE TABLE b LIKE a'],
      'RENAME TABLE a TO x, b TO a, x TO b',
      VISIBLE,
    ],
    ['TRUNCATE', [A, ROW], 'TRUNCATE TABLE a', VISIBLE],
    ['CREATE INDEX', [A], 'CREATE INDEX i ON a (b)', VISIBLE],
    ['DROP INDEX', ['CREATE TABLE a (b INT, INDEX i (b))'], 'DROP INDEX i ON a', VISIBLE],
    ['DROP TABLE', [A], 'DROP TABLE a', VISIBLE],
    ['DROP TABLE IF EXISTS of what is not there', [], 'DROP TABLE IF EXISTS a', ['landed', 'landed']],
    ['CREATE VIEW', [A], 'CREATE VIEW v AS SELECT b FROM a', VISIBLE],
    [
      'CREATE OR REPLACE VIEW as it was',
      [A, 'CREATE VIEW v AS SELECT b FROM a'],
      'CREATE OR REPLACE VIEW v AS SELECT b FROM a',
      REPEATABLE,
    ],
    ['DROP VIEW', [A, 'CREATE VIEW v AS SELECT b FROM a'], 'DROP VIEW v', VISIBLE],
    ['CREATE PROCEDURE', [], 'CREATE PROCEDURE p() SELECT 1', VISIBLE],
    ['DROP FUNCTION', ['CREATE FUNCTION p() RETURNS INT RETURN 1'], 'DROP FUNCTION p', VISIBLE],
    ['CREATE TRIGGER', [A], 'CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.b = 1', VISIBLE],
    ['CREATE EVENT', [], 'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1', VISIBLE],
    [
      'CREATE EVENT that happens once',
      [],
      'CREATE EVENT e ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 1 DAY DO SELECT 1',
      UNKNOWN,
    ],
    ['CREATE SEQUENCE', [], 'CREATE SEQUENCE s', VISIBLE],
    ['ANALYZE TABLE', [A], 'ANALYZE TABLE a', REPEATABLE],
    ['OPTIMIZE TABLE', [A], 'OPTIMIZE TABLE a', REPEATABLE],
    ['FLUSH TABLES', [A], 'FLUSH TABLES', REPEATABLE],
    ['CREATE ROLE', [], 'CREATE ROLE IF NOT EXISTS holdfast_landed', REPEATABLE],
    ['DROP ROLE', ['CREATE ROLE IF NOT EXISTS holdfast_landed'], 'DROP ROLE holdfast_landed', UNKNOWN],
    ['a block with DDL', [], 'BEGIN NOT ATOMIC CREATE TABLE a (b INT); END', UNKNOWN],
  ])('%s', async (_, setUp, text, expected) => {
    expect(await answersFor(setUp, text)).toEqual(expected);
  });
});

test('of a DROP TABLE that dropped one of two, IF EXISTS is sent again and the other is unknown', async () => {
  const session = await prepare([A, 'CREATE TABLE b (c INT)']);
  const fingerprint = await fingerprintOf(session, sent('DROP TABLE a, b'));
  await session.query('DROP TABLE a');
  expect(await mysqlLanded.landed(session, { ...sent('DROP TABLE a, b'), fingerprint })).toBe('unknown');
  expect(await mysqlLanded.landed(session, { ...sent('DROP TABLE IF EXISTS a, b'), fingerprint })).toBe(
    'not landed',
  );
});

test('a CREATE TABLE that found its table there had not taken effect, whatever was done to that table since', async () => {
  const session = await prepare([A]);
  const fingerprint = await fingerprintOf(session, sent('CREATE TABLE a (c INT)'));
  await session.query('ALTER TABLE a ADD c INT');
  expect(await mysqlLanded.landed(session, { ...sent('CREATE TABLE a (c INT)'), fingerprint })).toBe(
    'not landed',
  );
});

test('a CREATE TABLE asks for its table in the schema that it names', async () => {
  const session = await prepare([A]);
  const { pathname } = new URL(server.db.url);
  const [here, elsewhere] = [pathname.slice(1), 'mysql'].map(
    (schema) => `CREATE TABLE \`${schema}\`.a (c INT)`,
  );
  expect(await fingerprintOf(session, sent(here!))).toBe('definition there');
  expect(await fingerprintOf(session, sent(elsewhere!))).toBe('definition absent');
});

test('a CREATE OR REPLACE TABLE that only dropped had not taken effect', async () => {
  const session = await prepare([A]);
  const text = 'CREATE OR REPLACE TABLE a (c INT)';
  const fingerprint = await fingerprintOf(session, sent(text));
  await session.query('DROP TABLE a');
  expect(await mysqlLanded.landed(session, { ...sent(text), fingerprint })).toBe('not landed');
});

test('an altered table that is gone proves nothing', async () => {
  const session = await prepare([A]);
  const text = 'ALTER TABLE a ADD c INT';
  const fingerprint = await fingerprintOf(session, sent(text));
  await session.query('DROP TABLE a');
  expect(await mysqlLanded.landed(session, { ...sent(text), fingerprint })).toBe('unknown');
});

test('rows and the next number of a table change nothing', async () => {
  const session = await prepare([A]);
  const text = 'ALTER TABLE a ADD c INT';
  const fingerprint = await fingerprintOf(session, sent(text));
  await session.query(ROW);
  expect(await mysqlLanded.landed(session, { ...sent(text), fingerprint })).toBe('not landed');
});

test('another sql_mode than before changes nothing, and stays as it is', async () => {
  const session = await prepare([A, "SET SESSION sql_mode = 'ANSI_QUOTES'"]);
  const text = 'ALTER TABLE a ADD c INT';
  const fingerprint = await fingerprintOf(session, sent(text));
  await session.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES'");
  expect(await mysqlLanded.landed(session, { ...sent(text), fingerprint })).toBe('not landed');
  expect(await session.query('SELECT @@sql_mode AS mode')).toEqual([{ mode: 'STRICT_ALL_TABLES' }]);
});

test('a fingerprint fits into the journal, whatever the statement names', async () => {
  const session = await prepare([A]);
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`).join(', ');
  const fingerprint = await fingerprintOf(session, sent(`DROP TABLE IF EXISTS a, ${names}`));
  expect(fingerprint!.length).toBeLessThan(500);
});

describe('for a user without the right PROCESS', () => {
  const user = `holdfast_landed_${process.pid}`;

  async function withoutProcess(): Promise<MigrationSession> {
    const { pathname, host } = new URL(server.db.url);
    await server.query(`CREATE OR REPLACE USER ${user} IDENTIFIED BY 'x'`);
    await server.query(`GRANT ALL ON \`${pathname.slice(1)}\`.* TO ${user}`);
    server.db.defer(() => server.query(`DROP USER ${user}`).then(() => undefined));
    return server.open({ url: `mysql://${user}:x@${host}${pathname}` });
  }

  test('TRUNCATE is told by the rows that are left', async () => {
    await prepare([A, ROW]);
    const session = await withoutProcess();
    const text = 'TRUNCATE a';
    const fingerprint = await fingerprintOf(session, sent(text));
    expect(await mysqlLanded.landed(session, { ...sent(text), fingerprint })).toBe('unknown');
    await session.query(text);
    expect(await mysqlLanded.landed(session, { ...sent(text), fingerprint })).toBe('landed');
  });

  test('EXCHANGE PARTITION cannot be told', async () => {
    await prepare([PARTS, 'CREATE TABLE a (id INT)']);
    const session = await withoutProcess();
    expect(
      await fingerprintOf(session, sent('ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE a')),
    ).toBeUndefined();
  });
});
