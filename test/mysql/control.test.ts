import { readControl } from '../../src/connection/drivers/mysql/mysql-control.js';
import { ISOLATION_LEVELS, mysqlDialect } from '../../src/core/index.js';
import { cpuMsOf } from '../harness/cpu-time.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();

/** Whether a transaction is still open behind the statement, according to the server. */
async function leavesTransactionOpen(statement: string): Promise<boolean> {
  const connection = await db.connection();
  await connection.query('START TRANSACTION');
  await connection.query("INSERT INTO entry (label) VALUES ('a')");
  await connection.query(statement).catch(() => undefined);
  const [rows] = await connection.query('SELECT @@in_transaction AS open');
  await connection.query('ROLLBACK');
  return Number((rows as { open: number }[])[0]!.open) === 1;
}

const committing = [
  'CREATE TABLE made (id int)',
  'create or replace table made (id int)',
  'CREATE INDEX by_label ON entry (label)',
  'CREATE VIEW seen AS SELECT 1',
  'CREATE PROCEDURE does() SELECT 1',
  'CREATE USER IF NOT EXISTS somebody',
  'DROP TABLE IF EXISTS made',
  'ALTER TABLE entry COMMENT = "x"',
  'RENAME TABLE parent TO parents, parents TO parent',
  'TRUNCATE TABLE parent',
  'truncate parent',
  'GRANT SELECT ON parent TO somebody',
  'REVOKE SELECT ON parent FROM somebody',
  'LOCK TABLES entry WRITE',
  'ANALYZE TABLE entry',
  'CHECK TABLE entry',
  'OPTIMIZE LOCAL TABLE entry',
  'REPAIR TABLE entry',
  'FLUSH STATUS',
  'RESET QUERY CACHE',
  '  -- a comment\n # another\n /* and one */ CREATE TABLE made2 (id int)',
  '/*!40000 ALTER TABLE entry COMMENT = "y" */',
  '/*M! DROP TABLE IF EXISTS made2 */',
  'DROP TABLE IF EXISTS made;  ',
  'CREATE/**/TABLE made3 (id int)',
  'DROP /*!50000 TABLE */ IF EXISTS made3',
  'CREATE TEMPORARY SEQUENCE counter',
  'CREATE OR REPLACE TEMPORARY SEQUENCE counter',
  'ANALYZE TABLES entry',
  'CHECK VIEW entry',
  'FLUSH TABLES entry WITH READ LOCK',
  'FLUSH LOCAL TABLES entry FOR EXPORT',
  'BACKUP LOCK entry',
  'BACKUP UNLOCK',
  'SET STATEMENT max_statement_time = 1 FOR TRUNCATE TABLE parent',
  "SET STATEMENT max_statement_time = (SELECT 1 FOR UPDATE), sort_buffer_size = LENGTH(' for ') FOR TRUNCATE parent",
  'SET STATEMENT max_statement_time = 1 FOR SET STATEMENT lock_wait_timeout = 1 FOR LOCK TABLES entry WRITE',
  "EXECUTE IMMEDIATE 'TRUNCATE parent'",
  'EXECUTE IMMEDIATE "TRUN" \'CATE parent\'',
  "EXECUTE IMMEDIATE '\\n CREATE OR REPLACE TABLE made (label char(1) DEFAULT ''x'')'",
  "SET STATEMENT max_statement_time = 1 FOR EXECUTE IMMEDIATE 'TRUNCATE parent'",
];

test.each(committing)('%s commits on the server, and is recognised', async (statement) => {
  expect(readControl(statement)).toMatchObject({ verb: 'commit implicitly' });
  expect(await leavesTransactionOpen(statement)).toBe(false);
});

const passed = [
  'SELECT 1',
  'WITH one AS (SELECT 1) SELECT * FROM one',
  "INSERT INTO entry (label) VALUES ('COMMIT; DROP TABLE entry')",
  'CREATE TEMPORARY TABLE scratch (id int)',
  'create or replace temporary table scratch (id int)',
  'DROP TEMPORARY TABLE IF EXISTS scratch',
  'CREATE /* of this session */ TEMPORARY TABLE scratch (id int)',
  'DROP TEMPORARY SEQUENCE IF EXISTS counter',
  'SET STATEMENT max_statement_time = 1 FOR CREATE TEMPORARY TABLE scratch (id int)',
  'SET STATEMENT max_statement_time = 1 FOR SELECT @@autocommit',
  "EXECUTE IMMEDIATE 'SELECT 1'",
  "EXECUTE IMMEDIATE CONCAT('SEL', 'ECT 1')",
  'CHECKSUM TABLE entry',
  'SET @x = 1',
  'SET SESSION sql_mode = @@sql_mode',
  'SET STATEMENT max_statement_time = 1 FOR SELECT 1',
  'ANALYZE SELECT 1',
  'BEGIN NOT ATOMIC SELECT 1; END',
  "PREPARE s FROM 'SELECT 1'",
  'DROP PREPARE s',
  'CALL nothing()',
  'LOAD DATA LOCAL INFILE "x" INTO TABLE entry',
  'START_OF_SOMETHING',
];

test.each(passed)('%s leaves the transaction open, so it is an ordinary statement', async (statement) => {
  expect(readControl(statement)).toBeUndefined();
  expect(await leavesTransactionOpen(statement)).toBe(true);
});

test.each([
  ['BEGIN', { verb: 'begin', isolationLevel: undefined, readOnly: false }],
  ['begin work;', { verb: 'begin', isolationLevel: undefined, readOnly: false }],
  ['START TRANSACTION', { verb: 'begin', isolationLevel: undefined, readOnly: false }],
  [
    'start transaction with consistent snapshot',
    { verb: 'begin', isolationLevel: undefined, readOnly: false },
  ],
  ['START TRANSACTION READ ONLY', { verb: 'begin', isolationLevel: undefined, readOnly: true }],
  ['COMMIT', { verb: 'commit', sent: 'COMMIT' }],
  ['commit work and no chain no release ;', { verb: 'commit', sent: 'COMMIT' }],
  ['/* done */ ROLLBACK', { verb: 'rollback', sent: 'ROLLBACK' }],
  ['SAVEPOINT mine', { verb: 'savepoint', name: 'mine', replaces: true }],
  ['SAVEPOINT `Mi``ne`', { verb: 'savepoint', name: 'mi``ne', replaces: true }],
  ['ROLLBACK TO SAVEPOINT mine', { verb: 'rollback to', name: 'mine', replaces: true }],
  ['ROLLBACK WORK TO Mine # back', { verb: 'rollback to', name: 'mine', replaces: true }],
  ['RELEASE SAVEPOINT mine;', { verb: 'release', name: 'mine', replaces: true }],
])('%s is %j', (statement, control) => {
  expect(readControl(statement)).toEqual(control);
});

test.each([
  'COMMIT AND CHAIN',
  'ROLLBACK RELEASE',
  'COMMIT; SELECT 1',
  'ROLLBACK TO SAVEPOINT mine; SELECT 1',
  "XA START 'x'",
  'SET autocommit = 0',
  'SET @x = 1, @@session.autocommit = 1',
  'SET STATEMENT max_statement_time = 1 FOR COMMIT',
  'SET STATEMENT max_statement_time = 1 FOR START TRANSACTION',
  'SET STATEMENT max_statement_time = 1 FOR SET autocommit = 0',
  "EXECUTE IMMEDIATE 'ROLLBACK'",
])('%s would end or outlive the transaction, and is refused', (statement) => {
  expect(() => readControl(statement)).toThrow(expect.objectContaining({ code: 'TRANSACTION_CONTROL' }));
});

test.each([
  ['SET PASSWORD = PASSWORD("secret")', 'SET PASSWORD'],
  ['STOP SLAVE', 'STOP SLAVE'],
  ['START ALL SLAVES', 'START ALL SLAVES'],
  ['GRANT SELECT ON secret TO somebody', 'GRANT'],
  ['set default role secret for somebody', 'SET DEFAULT ROLE'],
  ['CREATE OR REPLACE TABLE secret (id int)', 'CREATE OR REPLACE TABLE'],
  [
    'create or replace definer=user@`host` sql security invoker view secret as select 1',
    'CREATE OR REPLACE VIEW',
  ],
  ['CREATE DEFINER = CURRENT_USER() PROCEDURE secret() SELECT 1', 'CREATE PROCEDURE'],
  ['CREATE UNIQUE INDEX secret ON entry (label)', 'CREATE UNIQUE INDEX'],
  ['ALTER ONLINE TABLE secret ADD x int', 'ALTER TABLE'],
  ['TRUNCATE secret', 'TRUNCATE'],
  ['OPTIMIZE LOCAL TABLE secret', 'OPTIMIZE TABLE'],
  ['RESET QUERY CACHE', 'RESET QUERY CACHE'],
  ["CREATE USER secret IDENTIFIED BY 'secret'", 'CREATE USER'],
  ['SET STATEMENT max_statement_time = 1 FOR TRUNCATE TABLE secret', 'TRUNCATE TABLE'],
  ["EXECUTE IMMEDIATE 'DROP TABLE secret'", 'DROP TABLE'],
])('%s commits as well, and is named without a word of its values', (text, statement) => {
  expect(readControl(text)).toEqual({ verb: 'commit implicitly', statement });
});

test.each([
  ['LOCK TABLES entry WRITE, parent READ', 'LOCK TABLES'],
  ['lock table entry read', 'LOCK TABLES'],
  ['LOCK/**/TABLES entry WRITE', 'LOCK TABLES'],
  ['FLUSH TABLES WITH READ LOCK', 'FLUSH TABLES … WITH READ LOCK'],
  ['FLUSH TABLES a.b, `c`.d, e WITH READ LOCK', 'FLUSH TABLES … WITH READ LOCK'],
  ['FLUSH NO_WRITE_TO_BINLOG TABLE entry FOR EXPORT', 'FLUSH TABLES … FOR EXPORT'],
  ['LOCK INSTANCE FOR BACKUP', 'LOCK INSTANCE'],
  ['BACKUP LOCK entry', 'BACKUP LOCK'],
  ['BACKUP STAGE START', 'BACKUP STAGE'],
  ['SET STATEMENT max_statement_time = 1 FOR LOCK TABLES entry WRITE', 'LOCK TABLES'],
])('%s locks for its session', (text, statement) => {
  expect(readControl(text)).toEqual({ verb: 'commit implicitly', statement, locks: true });
});

test('a long comment, or none that ends, is read once', async () => {
  const took = await cpuMsOf(() => {
    for (const end of [' # /*', ' /*', ' ', '--', '/*! '])
      expect(readControl(`FLUSH TABLES entry ${end.repeat(20_000)}`)).toMatchObject({
        statement: 'FLUSH TABLES',
      });
  });
  expect(took).toBeLessThan(2000);
});

describe('the dialect', () => {
  test.each(
    [undefined, ...ISOLATION_LEVELS].flatMap((isolationLevel) => [
      { isolationLevel, readOnly: false },
      { isolationLevel, readOnly: true },
    ]),
  )('what begins a transaction with %j is what the server takes', async (options) => {
    const connection = await db.connection();
    for (const statement of mysqlDialect.begin(options)) await connection.query(statement);
    const writing = connection.query("INSERT INTO entry (label) VALUES ('a')").then(
      () => 'written',
      (error: { code: string }) => error.code,
    );
    expect(await writing).toBe(options.readOnly ? 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION' : 'written');
    await connection.query('ROLLBACK');
  });

  test('a savepoint can be released, or undone', async () => {
    await db.truncate();
    const connection = await db.connection();
    const insert = (label: string): Promise<unknown> =>
      connection.query('INSERT INTO entry (label) VALUES (?)', [label]);
    await connection.query('START TRANSACTION');
    await connection.query(mysqlDialect.savepoint('holdfast_1'));
    await insert('kept');
    await connection.query(mysqlDialect.releaseSavepoint('holdfast_1'));
    await connection.query(mysqlDialect.savepoint('holdfast_2'));
    await insert('undone');
    await connection.query(mysqlDialect.undoSavepoint('holdfast_2'));
    await connection.query('COMMIT');
    expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'kept' }]);
  });
});
