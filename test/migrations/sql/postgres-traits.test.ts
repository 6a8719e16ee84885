import { readPostgresTraits } from '../../../src/migrations/sql/postgres-traits.js';
import type { StatementTarget, StatementTraits } from '../../../src/migrations/sql/traits.js';
import { useDatabase } from '../../harness/database.js';

const LATEST = 180004;

function traitsOf(text: string, version = LATEST): StatementTraits {
  const start = { line: 1, column: 1, offset: 0 };
  return readPostgresTraits({ kind: 'statement', text, start, index: 1 }, version);
}

describe('command', () => {
  test.each([
    ['select 1', 'SELECT'],
    ['((SELECT 1) UNION SELECT 2)', 'SELECT'],
    ['/* a */ -- b\n INSERT INTO t VALUES (1)', 'INSERT'],
    ['with a as (insert into t values (1) returning *), b as (select 1) update x set y = 1', 'UPDATE'],
    ['WITH RECURSIVE a AS (SELECT 1) SELECT 2', 'SELECT'],
    ['create or replace view v as select 1', 'CREATE VIEW'],
    ['CREATE TEMP TABLE IF NOT EXISTS t (a int)', 'CREATE TEMPORARY TABLE'],
    ['CREATE GLOBAL TEMPORARY TABLE t (a int)', 'CREATE TEMPORARY TABLE'],
    ['CREATE UNLOGGED TABLE t (a int)', 'CREATE UNLOGGED TABLE'],
    ['CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)', 'CREATE UNIQUE INDEX CONCURRENTLY'],
    ['CREATE MATERIALIZED VIEW v AS SELECT 1', 'CREATE MATERIALIZED VIEW'],
    ['REFRESH MATERIALIZED VIEW CONCURRENTLY v', 'REFRESH MATERIALIZED VIEW CONCURRENTLY'],
    ['CREATE CONSTRAINT TRIGGER t AFTER INSERT ON x EXECUTE FUNCTION f()', 'CREATE CONSTRAINT TRIGGER'],
    ['CREATE FOREIGN DATA WRAPPER w', 'CREATE FOREIGN DATA WRAPPER'],
    ['DROP TEXT SEARCH DICTIONARY d', 'DROP TEXT SEARCH'],
    ['ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r', 'ALTER DEFAULT PRIVILEGES'],
    ['REINDEX (VERBOSE, CONCURRENTLY) TABLE t', 'REINDEX TABLE CONCURRENTLY'],
    ['REINDEX (CONCURRENTLY off) TABLE t', 'REINDEX TABLE'],
    ['rollback work to savepoint a', 'ROLLBACK TO SAVEPOINT'],
    ['TRUNCATE t', 'TRUNCATE TABLE'],
    ['DO $$ BEGIN END $$', 'DO'],
    ['', ''],
    ['1', ''],
  ])('%s: %s', (text, command) => {
    expect(traitsOf(text).command).toBe(command);
  });
});

describe('targets', () => {
  test.each<[string, StatementTarget[]]>([
    ['CREATE TABLE Orders (a int)', [{ kind: 'table', name: 'orders' }]],
    [
      'CREATE TABLE IF NOT EXISTS Shop."Or""ders" AS SELECT 1',
      [{ kind: 'table', schema: 'shop', name: 'Or"ders' }],
    ],
    ['CREATE TABLE db.s.t (a int)', [{ kind: 'table', schema: 's', name: 't' }]],
    ['CREATE TABLE größe (a int)', [{ kind: 'table', name: 'größe' }]],
    ['CREATE FOREIGN TABLE f () SERVER s', [{ kind: 'table', name: 'f' }]],
    ['ALTER TABLE IF EXISTS ONLY s.t ADD COLUMN b int', [{ kind: 'table', schema: 's', name: 't' }]],
    ['ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b', []],
    ['ALTER TABLE all_of RENAME TO b', [{ kind: 'table', name: 'all_of' }]],
    [
      'DROP TABLE IF EXISTS a, s."B" CASCADE',
      [
        { kind: 'table', name: 'a' },
        { kind: 'table', schema: 's', name: 'B' },
      ],
    ],
    [
      'TRUNCATE ONLY a, b * RESTART IDENTITY',
      [
        { kind: 'table', name: 'a' },
        { kind: 'table', name: 'b' },
      ],
    ],
    ['CREATE INDEX i ON t (a)', [{ kind: 'index', name: 'i', table: 't' }]],
    [
      'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "I" ON ONLY s.t USING btree (a)',
      [{ kind: 'index', schema: 's', name: 'I', table: 't' }],
    ],
    ['CREATE INDEX ON s.t (a)', [{ kind: 'table', schema: 's', name: 't' }]],
    ['CREATE INDEX CONCURRENTLY ON t (a)', [{ kind: 'table', name: 't' }]],
    ['DROP INDEX CONCURRENTLY IF EXISTS s.i', [{ kind: 'index', schema: 's', name: 'i' }]],
    ['REINDEX INDEX CONCURRENTLY i', [{ kind: 'index', name: 'i' }]],
    ['REINDEX (VERBOSE) TABLE s.t', [{ kind: 'table', schema: 's', name: 't' }]],
    ['ALTER INDEX i RENAME TO j', [{ kind: 'index', name: 'i' }]],
    ['CREATE OR REPLACE RECURSIVE VIEW v (a) AS SELECT 1', [{ kind: 'view', name: 'v' }]],
    ['REFRESH MATERIALIZED VIEW CONCURRENTLY s.v', [{ kind: 'materialized view', schema: 's', name: 'v' }]],
    ['CREATE SEQUENCE s.q', [{ kind: 'sequence', schema: 's', name: 'q' }]],
    ["CREATE TYPE mood AS ENUM ('a')", [{ kind: 'type', name: 'mood' }]],
    ["ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'b'", [{ kind: 'type', schema: 's', name: 'mood' }]],
    ['CREATE DOMAIN d AS int', [{ kind: 'type', name: 'd' }]],
    [
      'CREATE OR REPLACE FUNCTION s.f(a int) RETURNS int AS $$ $$ LANGUAGE sql',
      [{ kind: 'function', schema: 's', name: 'f' }],
    ],
    [
      'DROP FUNCTION f(int, text), g',
      [
        { kind: 'function', name: 'f' },
        { kind: 'function', name: 'g' },
      ],
    ],
    ['CREATE PROCEDURE p() BEGIN ATOMIC END', [{ kind: 'procedure', name: 'p' }]],
    [
      'CREATE TRIGGER tr BEFORE INSERT OR UPDATE OF a ON s.t FOR EACH ROW EXECUTE FUNCTION f()',
      [{ kind: 'trigger', schema: 's', name: 'tr', table: 't' }],
    ],
    ['DROP TRIGGER IF EXISTS tr ON t', [{ kind: 'trigger', name: 'tr', table: 't' }]],
    ['CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()', [{ kind: 'other', name: 'e' }]],
    ['CREATE POLICY p ON s.t', [{ kind: 'other', schema: 's', name: 'p', table: 't' }]],
    [
      'CREATE OR REPLACE RULE r AS ON INSERT TO s.t DO NOTHING',
      [{ kind: 'other', schema: 's', name: 'r', table: 't' }],
    ],
    ['DROP RULE r ON t', [{ kind: 'other', name: 'r', table: 't' }]],
    ['CREATE SCHEMA IF NOT EXISTS shop', [{ kind: 'schema', name: 'shop' }]],
    ['CREATE SCHEMA AUTHORIZATION bob', []],
    ['CREATE DATABASE d', [{ kind: 'database', name: 'd' }]],
    ['CREATE EXTENSION IF NOT EXISTS "uuid-ossp"', [{ kind: 'other', name: 'uuid-ossp' }]],
    ['CREATE CAST (int AS text) WITHOUT FUNCTION', []],
    ['INSERT INTO s.t (a) VALUES (1)', [{ kind: 'table', schema: 's', name: 't' }]],
    ['UPDATE ONLY t SET a = 1', [{ kind: 'table', name: 't' }]],
    ['DELETE FROM t', [{ kind: 'table', name: 't' }]],
    ['MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE', [{ kind: 'table', name: 't' }]],
    ['COPY s.t (a) FROM stdin', [{ kind: 'table', schema: 's', name: 't' }]],
    ['COPY t TO stdout', []],
    ['COPY (SELECT 1) TO stdout', []],
    ['SELECT 1', []],
  ])('%s', (text, targets) => {
    expect(traitsOf(text).targets).toEqual(targets);
  });
});

describe('what it changes for others', () => {
  test.each([
    'BEGIN',
    'begin isolation level serializable',
    'START TRANSACTION',
    'COMMIT',
    'COMMIT AND CHAIN',
    'END',
    'ROLLBACK',
    'ABORT WORK',
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
    "ROLLBACK PREPARED 'x'",
  ])('%s controls the transaction', (text) => {
    expect(traitsOf(text).controlsTransaction).toBe(true);
  });

  test.each([
    'ROLLBACK TO a',
    'ROLLBACK WORK TO SAVEPOINT a',
    'SAVEPOINT a',
    'RELEASE a',
    'PREPARE p AS SELECT 1',
    'DO $$ BEGIN END $$',
  ])('%s does not', (text) => {
    expect(traitsOf(text).controlsTransaction).toBe(false);
  });

  test.each([
    ['SET search_path = a', true],
    ['set local lock_timeout = 1', true],
    ['RESET ALL', true],
    ['DISCARD ALL', true],
    ["SELECT pg_catalog.set_config('search_path', '', false)", true],
    ['SELECT 1', false],
    ['UPDATE t SET a = 1', false],
    ["COMMENT ON FUNCTION set_config IS 'x'", false],
  ])('%s changes the session: %s', (text, expected) => {
    expect(traitsOf(text).changesSession).toBe(expected);
  });

  test.each([
    ['WITH RECURSIVE a AS (SELECT 1) SELECT 2', true],
    ['INSERT INTO t SELECT * FROM (with /* x */ recursive a AS (SELECT 1) SELECT 2) b', true],
    ['WITH a AS (SELECT 1) SELECT recursive FROM a', false],
    ["SELECT 'WITH RECURSIVE'", false],
    ['SELECT 1 -- WITH RECURSIVE', false],
  ])('%s is recursive: %s', (text, expected) => {
    expect(traitsOf(text).isRecursive).toBe(expected);
  });
});

const ALONE = [
  'CREATE INDEX CONCURRENTLY x ON t (a)',
  'create unique index concurrently if not exists x on t (a)',
  'DROP INDEX CONCURRENTLY i',
  'DROP INDEX CONCURRENTLY IF EXISTS nothing',
  'REINDEX INDEX CONCURRENTLY i',
  'REINDEX TABLE CONCURRENTLY t',
  'REINDEX (CONCURRENTLY) TABLE t',
  'REINDEX (VERBOSE false, CONCURRENTLY true) INDEX i',
  'REINDEX SCHEMA s',
  'REINDEX SCHEMA CONCURRENTLY s',
  'REINDEX DATABASE',
  'REINDEX SYSTEM',
  'REINDEX (VERBOSE) SYSTEM',
  'VACUUM',
  'VACUUM (ANALYZE) t',
  'CREATE DATABASE another',
  'DROP DATABASE IF EXISTS another',
  'DROP DATABASE another',
  "CREATE TABLESPACE x LOCATION '/nowhere'",
  'DROP TABLESPACE x',
  "ALTER SYSTEM SET work_mem = '1MB'",
  'ALTER SYSTEM RESET work_mem',
  'ALTER DATABASE postgres SET TABLESPACE pg_default',
  'CLUSTER',
  'CLUSTER VERBOSE',
  'CLUSTER (VERBOSE)',
  'DISCARD ALL',
  'ALTER TABLE parts DETACH PARTITION part1 CONCURRENTLY',
  'ALTER TABLE IF EXISTS ONLY parts DETACH PARTITION part1 CONCURRENTLY',
  "CREATE SUBSCRIPTION x CONNECTION 'dbname=x' PUBLICATION y",
  "COMMIT PREPARED 'x'",
  "ROLLBACK PREPARED 'x'",
];

const NOT_ALONE = [
  'CREATE INDEX x ON t (a)',
  'CREATE INDEX "concurrently" ON t (a)',
  'DROP INDEX i',
  'REINDEX TABLE t',
  'REINDEX (CONCURRENTLY false) TABLE t',
  'REINDEX (VERBOSE) INDEX i',
  'ANALYZE',
  'CREATE MATERIALIZED VIEW w AS SELECT 1',
  'REFRESH MATERIALIZED VIEW mv',
  'REFRESH MATERIALIZED VIEW CONCURRENTLY mv',
  'DROP MATERIALIZED VIEW mv',
  'CLUSTER t USING i',
  'CLUSTER (VERBOSE) t USING i',
  'CLUSTER VERBOSE t USING i',
  'DISCARD PLANS',
  'DISCARD TEMP',
  'DISCARD SEQUENCES',
  "ALTER DATABASE postgres SET work_mem = '1MB'",
  'ALTER TABLE parts DETACH PARTITION part1',
  "ALTER TABLE parts ADD COLUMN b text DEFAULT 'DETACH PARTITION part1 CONCURRENTLY'",
  "ALTER TYPE mood ADD VALUE 'better'",
  "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'better' BEFORE 'good'",
  "ALTER TYPE mood RENAME VALUE 'good' TO 'fine'",
  'CREATE SCHEMA another',
  'CREATE PUBLICATION p FOR ALL TABLES',
  'LOCK TABLE t',
  'TRUNCATE t',
  'SET CONSTRAINTS ALL DEFERRED',
];

describe('what stands alone', () => {
  const db = useDatabase({
    schema: `
      CREATE TABLE t (a int PRIMARY KEY); CREATE INDEX i ON t (a); CREATE SCHEMA s;
      CREATE TYPE mood AS ENUM ('good'); CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a; CREATE UNIQUE INDEX ON mv (a);
      CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);`,
  });

  /** The server's own word: 25001, `… cannot run inside a transaction block`. */
  /** `undefined` where the server is older than the statement, which it does not know. */
  async function isRefusedInTransaction(text: string): Promise<boolean | undefined> {
    const pool = db.pool({ max: 1 });
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(text);
      return false;
    } catch (error) {
      const { code } = error as { code?: string };
      const isUnknown = code === '42601' && (await db.serverVersion()) < LATEST;
      return isUnknown ? undefined : code === '25001';
    } finally {
      await client.query('ROLLBACK');
      client.release();
      await pool.end();
    }
  }

  test.each([
    ...ALONE.map((text) => [text, true] as const),
    ...NOT_ALONE.map((text) => [text, false] as const),
  ])('%s: %s, and the server says the same', async (text, alone) => {
    expect(traitsOf(text).standsAlone).toBe(alone);
    expect((await isRefusedInTransaction(text)) ?? alone).toBe(alone);
  });

  // They need a publisher, a subscription, or another version than the one here.
  test.each([
    ['DROP SUBSCRIPTION x', LATEST, true],
    ['ALTER SUBSCRIPTION x REFRESH PUBLICATION', LATEST, true],
    ['ALTER SUBSCRIPTION x SET PUBLICATION y', LATEST, true],
    ['ALTER SUBSCRIPTION x ADD PUBLICATION y', LATEST, true],
    ['ALTER SUBSCRIPTION x ENABLE', LATEST, false],
    ["ALTER TYPE mood ADD VALUE 'better'", 110022, true],
    ["ALTER TYPE mood ADD VALUE 'better'", 120000, false],
    ["ALTER TYPE mood RENAME VALUE 'a' TO 'b'", 110022, false],
    ['REPACK', 190000, true],
    ['REPACK (CONCURRENTLY) t', 190000, true],
    ['REPACK t', 190000, false],
  ])('%s on %i: %s', (text, version, alone) => {
    expect(traitsOf(text, version).standsAlone).toBe(alone);
  });
});
