import { LostWithSession } from '../../../src/migrations/runner/lost-with-session.js';
import { readMysqlSessionUse } from '../../../src/migrations/sql/mysql-session-use.js';
import { readMysqlTraits } from '../../../src/migrations/sql/mysql-traits.js';
import { readPostgresSessionUse } from '../../../src/migrations/sql/postgres-session-use.js';
import { readPostgresTraits } from '../../../src/migrations/sql/postgres-traits.js';
import type { SqlStatement } from '../../../src/migrations/sql/statement.js';

const LANGUAGES = {
  mysql: { readTraits: readMysqlTraits, read: readMysqlSessionUse },
  postgres: { readTraits: readPostgresTraits, read: readPostgresSessionUse },
};

/** What becomes of `next`, after `done` took effect in an earlier run. */
function outcomeOf(language: keyof typeof LANGUAGES, done: readonly string[], next: string): string {
  const { readTraits, read } = LANGUAGES[language];
  const statementOf = (text: string, index: number): SqlStatement => ({
    kind: 'statement',
    text,
    index: index + 1,
    start: { line: index + 1, column: 1, offset: 0 },
  });
  const lost = new LostWithSession(read);
  const sentAgain = done.map((text, index) => {
    const statement = statementOf(text, index);
    return lost.pass(statement, readTraits(statement, 101111));
  });
  const statement = statementOf(next, done.length);
  try {
    lost.check(statement, readTraits(statement, 101111));
  } catch (error) {
    return (error as Error).message;
  }
  return sentAgain.map((isSent) => (isSent ? 'sent again' : 'not sent')).join(', ');
}

describe('what the session of an earlier run took with it: MariaDB', () => {
  test.each([
    ['SET sql_mode = ""', 'SELECT 1'],
    ['SET NAMES utf8mb4', 'SELECT 1'],
    ['SET @a = 1', 'SELECT @a'],
    ["SET @a := CONCAT('x', 'y')", 'SELECT @a'],
    ['/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE="" */', 'SET sql_mode = @OLD_SQL_MODE'],
    ["SET sql_mode = (SELECT REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', ''))", 'SELECT 1'],
    ['USE other', 'SELECT 1'],
  ])('%s is sent again', (done, next) => {
    expect(outcomeOf('mysql', [done], next)).toBe('sent again');
  });

  test.each([
    ['SET @mx = (SELECT COUNT(*) FROM i)', 'INSERT INTO i VALUES (@mx)', '@mx'],
    ['SET @MX = (SELECT MAX(n) FROM i)', 'SELECT @`mx` + 1', '@mx'],
    ['SET @a = 1, @b = my_count()', 'DELETE FROM i WHERE n = @b', '@b'],
    ['SET @a = NOW()', 'SELECT @a', '@a'],
    ['SET @a = CURRENT_TIMESTAMP', 'SELECT @a', '@a'],
    ['SET @a = LAST_INSERT_ID()', 'SELECT @a', '@a'],
    ['SET @a = @@last_insert_id', 'SELECT @a', '@a'],
    ['SELECT COUNT(*), 2 INTO @a, @b FROM i', 'SELECT @b', '@b'],
    ['SELECT COUNT(*) FROM i INTO @a', 'SELECT @a', '@a'],
    ['SELECT @n := COUNT(*) FROM i', 'SELECT @n', '@n'],
    ['CALL p(1, @out)', 'SELECT @out', '@out'],
    ['SET @a = (SELECT 1 FROM i)', "PREPARE s FROM 'INSERT INTO i VALUES (@a)'", '@a'],
    ['SET @a = (SELECT 1 FROM i)', 'SET @b = @a + 1', '@a'],
  ])('after %s, %s is refused', (done, next, name) => {
    expect(outcomeOf('mysql', [done], next)).toContain(`the value of ${name}, from line 1, went with`);
  });

  test.each([
    [['SET @a = (SELECT 1 FROM i)'], 'SELECT 1', 'not sent'],
    [['SET @a = (SELECT 1 FROM i)', 'SET @a = 2'], 'SELECT @a', 'not sent, sent again'],
    [['SET @a = (SELECT 1 FROM i)'], 'SET @a = (SELECT 2 FROM i)', 'not sent'],
    [['SET @a = (SELECT 1 FROM i)'], 'SELECT 2 INTO @a', 'not sent'],
    [['SET @a = (SELECT 1 FROM i)'], "SELECT '@a', a FROM i", 'not sent'],
    [
      ['SET @a = (SELECT 1 FROM i)'],
      'CREATE TRIGGER t BEFORE INSERT ON i FOR EACH ROW SET @a = 1',
      'not sent',
    ],
    [['SET @a = (SELECT 1 FROM i), sql_mode = ""'], 'SELECT 1', 'sent again'],
    [
      ['CREATE TEMPORARY TABLE picked (n INT)', 'DROP TABLE picked'],
      'SELECT * FROM picked',
      'not sent, not sent',
    ],
    [['CREATE TEMPORARY TABLE picked (n INT)'], 'CREATE TEMPORARY TABLE picked (n INT)', 'not sent'],
    [['CREATE TEMPORARY TABLE picked (n INT)'], 'DROP TEMPORARY TABLE IF EXISTS picked', 'not sent'],
    [['INSERT INTO i VALUES (1)'], 'INSERT INTO i VALUES (LAST_INSERT_ID(7))', 'not sent'],
  ])('%j, then %s: %s', (done, next, outcome) => {
    expect(outcomeOf('mysql', done, next)).toBe(outcome);
  });

  test('a value made of a lost one is lost', () => {
    const done = ['SET @a = (SELECT 1 FROM i)', 'SET @b = @a + 1'];
    expect(outcomeOf('mysql', done, 'SELECT @b')).toContain('the value of @b, from line 2');
  });

  test('a setting made of a lost value is not guessed', () => {
    const done = ['SET @a = (SELECT 1 FROM i)', 'SET unique_checks = @a'];
    expect(() => outcomeOf('mysql', done, 'SELECT 1')).toThrow('the value of @a, from line 1');
  });

  test.each([
    ['CREATE TEMPORARY TABLE picked AS SELECT * FROM i', 'INSERT INTO i SELECT * FROM `Picked`'],
    ['CREATE TEMPORARY TABLE IF NOT EXISTS db.picked (n INT)', 'DROP TEMPORARY TABLE picked'],
    ['CREATE TEMPORARY TABLE picked (n INT)', 'DROP TABLE IF EXISTS picked'],
  ])('after %s, %s is refused', (done, next) => {
    expect(outcomeOf('mysql', [done], next)).toBe(
      'the temporary table of line 1 ended with the session of the earlier run (picked)',
    );
  });

  test.each([
    [
      'INSERT INTO i VALUES (1)',
      'INSERT INTO j VALUES (LAST_INSERT_ID())',
      'LAST_INSERT_ID() of line 1 went',
    ],
    ["PREPARE s FROM 'SELECT 1'", 'EXECUTE s', 'what line 1 prepared ended with'],
    ["PREPARE s FROM 'SELECT 1'", 'DEALLOCATE PREPARE s', 'what line 1 prepared ended with'],
  ])('after %s, %s is refused', (done, next, message) => {
    expect(outcomeOf('mysql', [done], next)).toContain(message);
  });
});

describe('what the session of an earlier run took with it: PostgreSQL', () => {
  test.each([
    ['CREATE TEMP TABLE picked AS SELECT 1', 'INSERT INTO i SELECT * FROM picked'],
    ['CREATE LOCAL TEMPORARY TABLE "picked" (n INT)', 'DROP TABLE picked'],
    ['CREATE TEMP VIEW picked AS SELECT 1', 'SELECT * FROM pg_temp.picked'],
    ['SELECT 1 AS n INTO TEMP TABLE picked', 'SELECT n FROM picked'],
  ])('after %s, %s is refused', (done, next) => {
    expect(outcomeOf('postgres', [done], next)).toContain('the temporary table of line 1 ended with');
  });

  test.each([
    [['CREATE TABLE picked (n INT)'], 'SELECT * FROM picked', 'not sent'],
    [['CREATE TEMP TABLE picked (n INT)', 'DROP TABLE picked'], 'SELECT * FROM picked', 'not sent, not sent'],
    [["SELECT pg_catalog.set_config('search_path', '', false)"], 'SELECT 1', 'sent again'],
    [['SET search_path = a'], 'SELECT 1', 'sent again'],
  ])('%j, then %s: %s', (done, next, outcome) => {
    expect(outcomeOf('postgres', done, next)).toBe(outcome);
  });
});
