import type { MigrationSession } from '../../../src/migrations/database/session.js';
import type { Landed, SentStatement } from '../../../src/migrations/sql/landed.js';
import type { TestDatabase } from '../../harness/database.js';
import { postgresLanded } from '../../../src/migrations/sql/postgres-landed.js';
import { readPostgresTraits } from '../../../src/migrations/sql/postgres-traits.js';
import { failureOf, statement, useServer } from '../database/drivers.js';

const server = useServer('pg');

function sent(text: string): SentStatement {
  // As on PostgreSQL 11, where ADD VALUE stands alone: the question is the same.
  return { statement: statement(text), traits: readPostgresTraits(statement(text), 110000) };
}

async function prepare(...setUp: readonly string[]): Promise<MigrationSession> {
  const session = await server.open();
  for (const text of ['DROP SCHEMA public CASCADE', 'CREATE SCHEMA public', ...setUp])
    await session.query(text);
  return session;
}

/** Answers for a statement that was lost on its way, and for one whose answer was. */
async function answersFor(setUp: readonly string[], text: string): Promise<[Landed, Landed]> {
  const session = await prepare(...setUp);
  const fingerprint = await postgresLanded.fingerprint(session, sent(text));
  const lost = await postgresLanded.landed(session, { ...sent(text), fingerprint });
  await session.query(text);
  return [lost, await postgresLanded.landed(session, { ...sent(text), fingerprint })];
}

const T = 'CREATE TABLE t (a INT, b INT)';
const PARTS = [
  'CREATE TABLE p (a INT) PARTITION BY LIST (a)',
  'CREATE TABLE "P 1" PARTITION OF p FOR VALUES IN (1)',
];
const TOLD: [Landed, Landed] = ['not landed', 'landed'];
const REPEATABLE: [Landed, Landed] = ['not landed', 'not landed'];
const other = `holdfast_landed_${process.pid}`;

describe('a statement that was in flight, before it ran and after it', () => {
  afterAll(() => server.query(`DROP DATABASE IF EXISTS ${other}`));

  test.each<[string, string[], string, [Landed, Landed]]>([
    ['CREATE INDEX CONCURRENTLY', [T], 'CREATE INDEX CONCURRENTLY "I 1" ON public.t (a)', TOLD],
    [
      'CREATE INDEX CONCURRENTLY of one that is there',
      [T, 'CREATE INDEX i ON t (a)'],
      'CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)',
      REPEATABLE,
    ],
    [
      'CREATE INDEX CONCURRENTLY without a name',
      [T, 'CREATE INDEX ON t (a)'],
      'CREATE INDEX CONCURRENTLY ON t (a)',
      TOLD,
    ],
    ['DROP INDEX CONCURRENTLY', [T, 'CREATE INDEX i ON t (a)'], 'DROP INDEX CONCURRENTLY i', TOLD],
    ['REINDEX CONCURRENTLY', [T, 'CREATE INDEX i ON t (a)'], 'REINDEX TABLE CONCURRENTLY t', REPEATABLE],
    [
      'ALTER TYPE ADD VALUE',
      ["CREATE TYPE mood AS ENUM ('a')"],
      "ALTER TYPE public.mood ADD VALUE IF NOT EXISTS 'it''s' BEFORE 'a'",
      TOLD,
    ],
    ['CREATE DATABASE', [`DROP DATABASE IF EXISTS ${other}`], `CREATE DATABASE ${other}`, TOLD],
    [
      'DROP DATABASE',
      [`DROP DATABASE IF EXISTS ${other}`, `CREATE DATABASE ${other}`],
      `DROP DATABASE ${other}`,
      TOLD,
    ],
    [
      'COMMIT PREPARED',
      [T, 'BEGIN', 'INSERT INTO t VALUES (1)', `PREPARE TRANSACTION '${other}'`],
      `COMMIT PREPARED '${other}'`,
      TOLD,
    ],
    [
      'ROLLBACK PREPARED',
      [T, 'BEGIN', 'INSERT INTO t VALUES (1)', `PREPARE TRANSACTION '${other}'`],
      `ROLLBACK PREPARED '${other}'`,
      TOLD,
    ],
    ['VACUUM', [T], 'VACUUM t', REPEATABLE],
    ['ANALYZE', [T], 'ANALYZE t', REPEATABLE],
    ['a procedure', ["CREATE PROCEDURE work() LANGUAGE sql AS ''"], 'CALL work()', ['unknown', 'unknown']],
  ])('%s', async (_, setUp, text, expected) => {
    expect(await answersFor(setUp, text)).toEqual(expected);
  });
});

describe('what was left half-way', () => {
  const invalidIndexes = () =>
    server.query<{ name: string }>(
      'SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid ORDER BY 1',
    );

  test('an INVALID index has not landed, is dropped, and the statement can be sent again', async () => {
    const session = await prepare(T, 'INSERT INTO t VALUES (1), (1)');
    const text = 'CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)';
    const fingerprint = await postgresLanded.fingerprint(session, sent(text));
    await failureOf(session.query(text));
    expect(await invalidIndexes()).toEqual([{ name: 'i' }]);

    expect(await postgresLanded.landed(session, { ...sent(text), fingerprint })).toBe('not landed');
    expect(postgresLanded.leavesTraces(sent(text).traits)).toBe(true);
    await postgresLanded.removeTraces(session, sent(text).traits);
    expect(await invalidIndexes()).toEqual([]);
    await session.query('TRUNCATE t');
    await session.query(text);
    expect(await postgresLanded.landed(session, { ...sent(text), fingerprint })).toBe('landed');
  });

  test('an INVALID index without a name cannot be told from one that was INVALID before', async () => {
    const session = await prepare(T, 'INSERT INTO t VALUES (1), (1)');
    const text = 'CREATE UNIQUE INDEX CONCURRENTLY ON t (a)';
    const fingerprint = await postgresLanded.fingerprint(session, sent(text));
    await failureOf(session.query(text));
    expect(await postgresLanded.landed(session, { ...sent(text), fingerprint })).toBe('unknown');
  });

  test.each([
    'REINDEX TABLE CONCURRENTLY t',
    'REINDEX INDEX CONCURRENTLY public.i',
    'REINDEX (CONCURRENTLY) SCHEMA public',
  ])('indexes that %s left behind are dropped, others stay', async (text) => {
    const session = await prepare(T, 'INSERT INTO t VALUES (1, 1), (1, 1)', 'CREATE INDEX i ON t (a)');
    for (const name of ['i_ccnew', 'i_ccold1', 'mine'])
      await failureOf(session.query(`CREATE UNIQUE INDEX CONCURRENTLY ${name} ON t (b)`));
    await postgresLanded.removeTraces(session, sent(text).traits);
    expect(await invalidIndexes()).toEqual([{ name: 'mine' }]);
  });
});

describe('DETACH PARTITION CONCURRENTLY', () => {
  const text = 'ALTER TABLE p DETACH PARTITION "P 1" CONCURRENTLY';

  /** PostgreSQL 13 knows no such statement, and says so: what is asked before it is sent must not fail in its place. */
  const expected = async <T>(known: T): Promise<T | string> =>
    (await (server.db as TestDatabase).serverVersion()) < 140_000 ? '42601' : known;
  const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;

  test('that was in flight, before it ran and after it', async () => {
    expect(await answersFor(PARTS, text).catch(codeOf)).toEqual(await expected(TOLD));
  });

  test('that stopped half-way is ended', async () => {
    const session = await prepare(...PARTS);
    const fingerprint = await postgresLanded.fingerprint(session, sent(text));
    const reader = await server.open();
    await reader.query('BEGIN');
    await reader.query('SELECT * FROM p');
    let failure: unknown;
    const detaching = failureOf(session.query(text)).then((error) => (failure = error));
    const pending = "SELECT 1 FROM pg_inherits i WHERE to_jsonb(i) ->> 'inhdetachpending' = 'true'";
    while (failure === undefined && (await server.query(pending)).length === 0) continue;
    await session.cancel();
    await detaching;
    await reader.query('ROLLBACK');

    expect(codeOf(failure)).toBe(await expected('57014'));
    const answer = await postgresLanded.landed(session, { ...sent(text), fingerprint });
    const left = await server.query('SELECT 1 FROM pg_inherits');
    const isEnded = codeOf(failure) === '57014';
    expect([answer, left.length]).toEqual(isEnded ? ['landed', 0] : ['not landed', 1]);
  });
});
