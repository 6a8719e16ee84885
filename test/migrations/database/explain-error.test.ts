import { explainDatabaseError } from '../../../src/migrations/database/explain-error.js';
import type { StatementFailedError } from '../../../src/migrations/errors.js';
import { DRIVERS, failureOf, statements, useServer } from './drivers.js';

/** Of each driver's server: a statement, and the kind of its error. */
const CASES = [
  ['exists', 'CREATE TABLE item (id int)', 'It is in the database already'],
  ['missing', 'SELECT * FROM nope', 'It is not in this database'],
  ['missing', 'ALTER TABLE item DROP COLUMN nope', 'It is not in this database'],
  ['constraint', 'INSERT INTO item VALUES (1)', 'Another row has this key already'],
  ['syntax', 'CREAT TABLE x', 'Correct the statement'],
] as const;

describe.each(DRIVERS)('an error of %s', (driver) => {
  const server = useServer(driver);
  beforeAll(() => server.query('CREATE TABLE item (id int PRIMARY KEY)'));
  beforeAll(() => server.query('INSERT INTO item VALUES (1)'));

  test.each(CASES)('means: %s (%s)', async (kind, sql, next) => {
    const session = await server.open();
    const error = await failureOf<StatementFailedError>(session.run(statements(sql)));
    expect(explainDatabaseError(error.cause)).toMatchObject({ kind, retryable: false });
    expect(error.message).toContain(next);
    expect(error.message).toMatch(/ \[\w{4,5}\]/);
  });

  test('means a lock that was waited for too long', async () => {
    const [session, other] = [await server.open(), await server.open()];
    await other.query('BEGIN');
    await other.query('UPDATE item SET id = 1 WHERE id = 1');
    await other.query(driver === 'pg' ? 'LOCK TABLE item' : 'DELETE FROM item WHERE id = 1');
    await session.query(driver === 'pg' ? "SET lock_timeout = '10ms'" : 'SET innodb_lock_wait_timeout = 0');
    const error = await failureOf<StatementFailedError>(
      session.run(statements('DELETE FROM item WHERE id = 1')),
    );
    expect(explainDatabaseError(error.cause)).toMatchObject({ kind: 'lock timeout', retryable: true });
    expect(error.message).toContain('-- lock-timeout: 30s');
    await other.query('ROLLBACK');
  });

  test('means a statement that ran too long', async () => {
    const session = await server.open();
    await session.query(driver === 'pg' ? "SET statement_timeout = '20ms'" : 'SET max_statement_time = 0.02');
    const sleep = driver === 'pg' ? 'SELECT pg_sleep(5)' : 'SELECT SLEEP(5)';
    const error = await failureOf<StatementFailedError>(session.run(statements(sleep)));
    expect(explainDatabaseError(error.cause).kind).toBe('statement timeout');
    expect(error.retryable).toBe(false);
  });

  test('means that the session or server only reads', async () => {
    const session = await server.open();
    await session.query(
      driver === 'pg' ? 'SET default_transaction_read_only = on' : 'SET SESSION TRANSACTION READ ONLY',
    );
    const error = await failureOf<StatementFailedError>(
      session.run(statements('INSERT INTO item VALUES (2)')),
    );
    expect(explainDatabaseError(error.cause).kind).toBe('read only');
    expect(error.message).toContain('Give the url of the primary');
  });

  test.each([
    [
      'a value that is missing',
      'INSERT INTO child VALUES (1, NULL, 1)',
      'Give the column a value in the statement',
    ],
    ['a key that is there', 'INSERT INTO item VALUES (1)', 'Another row has this key already'],
    [
      'a row that is not there',
      'INSERT INTO child VALUES (1, 1, 77)',
      'A row refers to one that is not there',
    ],
    ['a check', 'INSERT INTO child VALUES (1, -5, 1)', 'A row fails the check'],
  ])('advises what fits: %s', async (_, sql, next) => {
    const session = await server.open();
    await session.query('DROP TABLE IF EXISTS child');
    await session.query(
      `CREATE TABLE child (id int PRIMARY KEY, n int NOT NULL, item int NOT NULL,
         CONSTRAINT child_n CHECK (n > 0), CONSTRAINT child_item FOREIGN KEY (item) REFERENCES item (id))`,
    );
    const error = await failureOf<StatementFailedError>(session.run(statements(sql)));
    expect(explainDatabaseError(error.cause).kind).toBe('constraint');
    expect(error.message).toContain(next);
    await session.query('DROP TABLE child');
  });

  test('holds no parameter values and none of the driver’s additions', async () => {
    const session = await server.open();
    const error = await failureOf(
      session.query(
        `INSERT INTO item (id, nope) VALUES (${session.placeholder(1)}, ${session.placeholder(2)})`,
        [1, 'top-secret'],
      ),
    );
    expect(explainDatabaseError(error).sentence).not.toContain('top-secret');
  });
});

describe('of a constraint of PostgreSQL', () => {
  const server = useServer('pg');
  beforeAll(() => server.query('CREATE TABLE person (email text CONSTRAINT person_email UNIQUE, nick text)'));
  beforeAll(() =>
    server.query("INSERT INTO person VALUES ('ada@example.com', 'ada'), ('bob@example.com', 'ada')"),
  );

  test.each([
    ['a key that is there', "INSERT INTO person VALUES ('ada@example.com')", '.person, key (email)).'],
    ['a unique index', 'CREATE UNIQUE INDEX person_nick ON person (nick)', '.person, key (nick)).'],
    ['NOT NULL', 'ALTER TABLE person ADD n int NOT NULL', '.person, column n).'],
  ])('table and columns are named, never a value: %s', async (_, sql, names) => {
    const session = await server.open();
    const { message } = await failureOf(session.run(statements(sql)));
    expect(message).toContain(names);
    expect(message).not.toMatch(/example\.com|\(ada\)/);
  });

  test('nothing is taken from what a function raised', async () => {
    const session = await server.open();
    const sql =
      "DO $$ BEGIN RAISE 'no' USING ERRCODE = '23505', TABLE = 'secret', DETAIL = 'Key (s3cr3t)=(x)'; END $$";
    const { message } = await failureOf(session.run(statements(sql)));
    expect(message).not.toMatch(/secret|s3cr3t/);
  });
});

test('a lost connection leaves open what became of the statement', () => {
  const { kind, sentence } = explainDatabaseError(new Error('read ECONNRESET'), { isLost: true });
  expect(kind).toBe('connection lost');
  expect(sentence).toBe(
    'The connection was lost: read ECONNRESET. Nobody can say whether the statement took effect.',
  );
});

test.each([
  ['42501', 'rights'],
  ['53100', 'disk full'],
  ['53300', 'too many connections'],
  ['57P01', 'shutdown'],
])('SQLSTATE %s means: %s', (code, kind) => {
  expect(explainDatabaseError(Object.assign(new Error('x'), { severity: 'ERROR', code })).kind).toBe(kind);
});

test.each([
  [1142, 'rights'],
  [1290, 'read only'],
  [1114, 'disk full'],
  [1021, 'disk full'],
  [1040, 'too many connections'],
  [1053, 'shutdown'],
  [45028, 'other'],
  [-111, 'other'],
])('MySQL’s error %i means: %s', (errno, kind) => {
  expect(explainDatabaseError(Object.assign(new Error('x'), { errno })).kind).toBe(kind);
});
