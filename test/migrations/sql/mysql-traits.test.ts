import { readMysqlTraits } from '../../../src/migrations/sql/mysql-traits.js';
import type { StatementTraits } from '../../../src/migrations/sql/traits.js';

function traitsOf(text: string): StatementTraits {
  const start = { line: 1, column: 1, offset: 0 };
  return readMysqlTraits({ kind: 'statement', index: 1, text, start }, 101111);
}

describe('what a statement is', () => {
  test.each<[string, string, 'stands alone' | 'in transactions']>([
    ['create table a (b int)', 'CREATE TABLE', 'stands alone'],
    ['CREATE OR REPLACE TABLE a (b int)', 'CREATE TABLE', 'stands alone'],
    ['CREATE TEMPORARY TABLE a (b int)', 'CREATE TEMPORARY TABLE', 'in transactions'],
    ['CREATE OR REPLACE /* c */ TEMPORARY TABLE a (b int)', 'CREATE TEMPORARY TABLE', 'in transactions'],
    ['DROP TEMPORARY TABLE a', 'DROP TEMPORARY TABLE', 'in transactions'],
    ['DROP TABLE a', 'DROP TABLE', 'stands alone'],
    ['DROP PREPARE p', 'DROP PREPARE', 'in transactions'],
    [
      '/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @b = 1 */',
      'CREATE TRIGGER',
      'stands alone',
    ],
    ["CREATE DEFINER = 'a'@'%' PROCEDURE p() SELECT 1", 'CREATE PROCEDURE', 'stands alone'],
    ['CREATE DEFINER=CURRENT_USER() FUNCTION f() RETURNS INT RETURN 1', 'CREATE FUNCTION', 'stands alone'],
    [
      'CREATE ALGORITHM=MERGE DEFINER=root@localhost SQL SECURITY INVOKER VIEW v AS SELECT 1',
      'CREATE VIEW',
      'stands alone',
    ],
    ['create unique index i on a (b)', 'CREATE UNIQUE INDEX', 'stands alone'],
    ['ALTER ONLINE IGNORE TABLE a ADD c INT', 'ALTER TABLE', 'stands alone'],
    ['TRUNCATE a', 'TRUNCATE TABLE', 'stands alone'],
    ['RENAME TABLE a TO b', 'RENAME TABLE', 'stands alone'],
    ['GRANT ALL ON *.* TO a', 'GRANT', 'stands alone'],
    ['ANALYZE NO_WRITE_TO_BINLOG TABLE a', 'ANALYZE TABLE', 'stands alone'],
    ['ANALYZE FORMAT=JSON SELECT 1', 'ANALYZE FORMAT', 'in transactions'],
    ['START ALL SLAVES', 'START ALL SLAVES', 'stands alone'],
    ['LOCK TABLES a READ', 'LOCK TABLES', 'stands alone'],
    ["SET PASSWORD = PASSWORD('x')", 'SET PASSWORD', 'stands alone'],
    ['SET STATEMENT max_statement_time = 1 FOR ALTER TABLE a ADD c INT', 'ALTER TABLE', 'stands alone'],
    ['BEGIN NOT ATOMIC DROP TABLE a; END', 'BEGIN NOT ATOMIC', 'stands alone'],
    ['BEGIN NOT ATOMIC INSERT INTO a VALUES (1); END', 'BEGIN NOT ATOMIC', 'in transactions'],
    ['INSERT INTO a VALUES (1)', 'INSERT', 'in transactions'],
    ['(SELECT 1) UNION (SELECT 2)', 'SELECT', 'in transactions'],
    ['SAVEPOINT a', 'SAVEPOINT', 'in transactions'],
    ["LOAD DATA INFILE 'a' INTO TABLE b", 'LOAD DATA', 'in transactions'],
    ['CALL p()', 'CALL', 'in transactions'],
  ])('%s', (text, command, kind) => {
    expect(traitsOf(text)).toMatchObject({ command, standsAlone: kind === 'stands alone' });
  });
});

describe('whether it controls the transaction', () => {
  test.each<[string, boolean]>([
    ['BEGIN', true],
    ['begin work', true],
    ['START TRANSACTION READ ONLY', true],
    ['COMMIT', true],
    ['/* c */ ROLLBACK', true],
    ["XA START 'a'", true],
    ['SET autocommit = 0', true],
    ['SET @old = 1, @@session.autocommit = 1', true],
    ['SET SESSION AUTOCOMMIT = ON', true],
    ['SET GLOBAL autocommit = 0', false],
    ['SET @autocommit = 0', false],
    ["SET @a = 'autocommit'", false],
    ['ROLLBACK TO SAVEPOINT a', false],
    ['ROLLBACK WORK TO a', false],
    ['BEGIN NOT ATOMIC SELECT 1; END', false],
    ['START SLAVE', false],
    ['ALTER TABLE a ADD autocommit INT', false],
  ])('%s: %s', (text, expected) => {
    expect(traitsOf(text).controlsTransaction).toBe(expected);
  });
});

test.each<[string, boolean]>([
  ['CALL p()', true],
  ["EXECUTE IMMEDIATE 'COMMIT'", true],
  ['BEGIN NOT ATOMIC SELECT 1; END', true],
  ['IF 1 THEN SELECT 1; END IF', true],
  ['INSERT INTO a VALUES (1)', false],
  ['DO f()', false],
  ['CREATE PROCEDURE p() COMMIT', false],
])('whether it may commit in its middle: %s: %s', (text, expected) => {
  expect(traitsOf(text).mayCommit ?? false).toBe(expected);
});

test.each<[string, { to: string; keeps: boolean } | undefined]>([
  ['set autocommit=0', { to: 'off', keeps: false }],
  ['SET `autocommit` = false', { to: 'off', keeps: false }],
  ['SET @@session.autocommit := OFF', { to: 'off', keeps: false }],
  ['/*!40101 SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, @@AUTOCOMMIT=0 */', { to: 'off', keeps: true }],
  ['SET AUTOCOMMIT=@OLD_AUTOCOMMIT', { to: 'kept', keeps: false }],
  ['SET LOCAL autocommit = DEFAULT', { to: 'on', keeps: false }],
  // Nobody may leave out what else they set, or what cannot be seen.
  ["SET autocommit = 0, sql_mode = ''", undefined],
  ['SET @old=@@autocommit, autocommit = 0', undefined],
  ['SET autocommit = (SELECT 0)', undefined],
  ['SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT', undefined],
  ['SET sql_mode = REPLACE(@@sql_mode, (SELECT autocommit = 0), 1)', undefined],
  ['COMMIT', undefined],
])('what it switches autocommit to, and does nothing else: %s', (text, expected) => {
  expect(traitsOf(text).autocommit).toEqual(expected);
});

test.each<[string, boolean]>([
  ["SET NAMES 'utf8mb4'", true],
  ['/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE */', true],
  ['USE shop', true],
  ['LOCK TABLES a WRITE', false],
  ["SET PASSWORD = PASSWORD('x')", false],
  ['UPDATE a SET b = 1', false],
])('whether it changes the session: %s: %s', (text, expected) => {
  expect(traitsOf(text).changesSession).toBe(expected);
});

test.each<[string, boolean]>([
  ['INSERT INTO a SELECT * FROM (WITH RECURSIVE c AS (SELECT 1) SELECT * FROM c) d', true],
  ['with /* deep */\nrecursive c AS (SELECT 1) SELECT * FROM c', true],
  ['WITH c AS (SELECT 1) SELECT recursive FROM c', false],
])('whether it is recursive: %s: %s', (text, expected) => {
  expect(traitsOf(text).isRecursive).toBe(expected);
});

describe('what it creates, changes or drops', () => {
  test.each<[string, object[]]>([
    ['CREATE TABLE IF NOT EXISTS `a``b` (c int)', [{ kind: 'table', name: 'a`b' }]],
    ['CREATE TABLE shop . orders LIKE b', [{ kind: 'table', schema: 'shop', name: 'orders' }]],
    [
      'DROP TABLE IF EXISTS a, `b`.`c` /* d */ , e CASCADE',
      [
        { kind: 'table', name: 'a' },
        { kind: 'table', schema: 'b', name: 'c' },
        { kind: 'table', name: 'e' },
      ],
    ],
    ['ALTER TABLE a ADD COLUMN b INT, RENAME COLUMN c TO d', [{ kind: 'table', name: 'a' }]],
    [
      'ALTER TABLE a RENAME INDEX x TO y, RENAME TO b.c',
      [
        { kind: 'table', name: 'a' },
        { kind: 'table', schema: 'b', name: 'c' },
      ],
    ],
    [
      'ALTER TABLE a RENAME b',
      [
        { kind: 'table', name: 'a' },
        { kind: 'table', name: 'b' },
      ],
    ],
    [
      'ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b',
      [
        { kind: 'table', name: 'a' },
        { kind: 'table', name: 'b' },
      ],
    ],
    [
      'RENAME TABLE a TO b, c TO d.e',
      [
        { kind: 'table', name: 'a' },
        { kind: 'table', name: 'b' },
        { kind: 'table', name: 'c' },
        { kind: 'table', schema: 'd', name: 'e' },
      ],
    ],
    ['TRUNCATE b.c', [{ kind: 'table', schema: 'b', name: 'c' }]],
    ['CREATE UNIQUE INDEX i USING BTREE ON b.c (d)', [{ kind: 'index', schema: 'b', name: 'i', table: 'c' }]],
    ['DROP INDEX IF EXISTS i ON c', [{ kind: 'index', name: 'i', table: 'c' }]],
    ['CREATE OR REPLACE VIEW v AS SELECT 1', [{ kind: 'view', name: 'v' }]],
    [
      'DROP VIEW a, b',
      [
        { kind: 'view', name: 'a' },
        { kind: 'view', name: 'b' },
      ],
    ],
    [
      'CREATE TRIGGER t AFTER UPDATE ON o FOR EACH ROW BEGIN END',
      [{ kind: 'trigger', name: 't', table: 'o' }],
    ],
    ['DROP TRIGGER IF EXISTS s.t', [{ kind: 'trigger', schema: 's', name: 't' }]],
    ['CREATE PROCEDURE IF NOT EXISTS p (a INT) SELECT 1', [{ kind: 'procedure', name: 'p' }]],
    ['CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1', [{ kind: 'event', name: 'e' }]],
    [
      'ALTER EVENT e ON SCHEDULE EVERY 1 DAY RENAME TO f DO SELECT 1',
      [
        { kind: 'event', name: 'e' },
        { kind: 'event', name: 'f' },
      ],
    ],
    ['CREATE SEQUENCE s', [{ kind: 'sequence', name: 's' }]],
    ['CREATE SCHEMA s', [{ kind: 'database', name: 's' }]],
    [
      'ANALYZE TABLE a, b',
      [
        { kind: 'table', name: 'a' },
        { kind: 'table', name: 'b' },
      ],
    ],
    ['INSERT IGNORE INTO a VALUES (1)', [{ kind: 'table', name: 'a' }]],
    ['UPDATE LOW_PRIORITY a SET b = 1', [{ kind: 'table', name: 'a' }]],
    ['DELETE FROM a.b', [{ kind: 'table', schema: 'a', name: 'b' }]],
    ["LOAD DATA LOCAL INFILE 'x' INTO TABLE a", [{ kind: 'table', name: 'a' }]],
    ['GRANT ALL ON a.* TO b', []],
    ['SELECT 1', []],
    ['', []],
  ])('%s', (text, targets) => {
    expect(traitsOf(text).targets).toEqual(targets);
  });
});

test.each<[string, boolean]>([
  ['LOCK TABLES a WRITE, b READ', true],
  ['LOCK TABLE a READ', true],
  ['/*!40000 UNLOCK TABLES */', true],
  ['FLUSH TABLES WITH READ LOCK', false],
  ['FLUSH TABLES a FOR EXPORT', false],
  ['SELECT 1 FROM a LOCK IN SHARE MODE', false],
])('whether it is left out: %s: %s', (text, expected) => {
  expect(traitsOf(text).isLeftOut).toBe(expected);
});
