import { SqlSyntaxError } from '../../../src/migrations/errors.js';
import { DirectiveReader, type Directives } from '../../../src/migrations/sql/directives.js';
import { splitMysql } from '../../../src/migrations/sql/mysql-splitter.js';
import { splitPostgres } from '../../../src/migrations/sql/postgres-splitter.js';
import type { SplitScript } from '../../../src/migrations/sql/statement.js';

async function read(script: string, split: SplitScript = splitPostgres): Promise<Directives> {
  const reader = new DirectiveReader();
  let statements = 0;
  for await (const items of split([script]))
    for (const item of items)
      if (item.kind === 'comment') reader.add(item, statements);
      else statements++;
  return reader.finish();
}

const NOTHING: Directives = {
  noTransaction: false,
  lockTimeoutMs: undefined,
  statementTimeoutMs: undefined,
  verifyBefore: [],
  verifyAfter: [],
};

describe('directives of the whole file', () => {
  test.each<[string, Partial<Directives>]>([
    ['', {}],
    ['-- no-transaction', { noTransaction: true }],
    ['--no-transaction  \r\nSELECT 1', { noTransaction: true }],
    ['---- No-Transaction', { noTransaction: true }],
    ['-- holdfast: no-transaction', { noTransaction: true }],
    ['-- Holdfast:  lock-timeout: 5s', { lockTimeoutMs: 5000 }],
    ['-- lock-timeout: 5s', { lockTimeoutMs: 5000 }],
    ['-- lock-timeout:250ms', { lockTimeoutMs: 250 }],
    ['-- lock-timeout: 1.5 s', { lockTimeoutMs: 1500 }],
    ['-- lock-timeout: 0', { lockTimeoutMs: 0 }],
    ['-- statement-timeout: 10min', { statementTimeoutMs: 600_000 }],
    ['-- Statement-Timeout: 2h', { statementTimeoutMs: 7_200_000 }],
    [
      '/* x */ -- Author: Bob\n-- no-transaction\n\n-- lock-timeout: 1s\n-- statement-timeout: 2s\nSELECT 1;',
      { noTransaction: true, lockTimeoutMs: 1000, statementTimeoutMs: 2000 },
    ],
  ])('%j', async (script, expected) => {
    expect(await read(script)).toEqual({ ...NOTHING, ...expected });
  });

  test('a comment inside a statement, a quote or another comment is none', async () => {
    const script = "SELECT 1 -- no-transaction\n;/* \n-- no-transaction\n*/ SELECT '\n-- no-transaction\n'";
    expect(await read(script)).toEqual(NOTHING);
  });

  test('# begins one on MySQL', async () => {
    expect(await read('# lock-timeout: 5s\nSELECT 1', splitMysql)).toMatchObject({ lockTimeoutMs: 5000 });
  });
});

describe('verify', () => {
  const queries = async (script: string): Promise<[before: string[], after: string[]]> => {
    const { verifyBefore, verifyAfter } = await read(script);
    return [verifyBefore.map(({ query }) => query), verifyAfter.map(({ query }) => query)];
  };

  test.each<[string, string[], string[]]>([
    ['-- verify: SELECT 1\nSELECT 2;', ['SELECT 1'], []],
    ['SELECT 2;\n-- verify: SELECT 1;', [], ['SELECT 1']],
    ['SELECT 2; -- verify: SELECT 1', [], ['SELECT 1']],
    ['-- verify after: SELECT 1\nSELECT 2;\n-- verify before: SELECT 3', ['SELECT 3'], ['SELECT 1']],
    ['-- Verify: with a AS (SELECT 1) SELECT 2', ['with a AS (SELECT 1) SELECT 2'], []],
    ['-- verify: (TABLE a)\n-- verify: VALUES (1)', ['(TABLE a)', 'VALUES (1)'], []],
    [
      '-- verify: SELECT 1\n--   FROM t\n--\tWHERE a\n--  ORDER BY b',
      ['SELECT 1\nFROM t\nWHERE a\nORDER BY b'],
      [],
    ],
    ['-- verify:\n--   SELECT 1\n--   FROM t;\n--   not of it', ['SELECT 1\nFROM t'], []],
    ['-- verify: SELECT 1\n-- FROM t', ['SELECT 1'], []],
    ['-- verify: SELECT 1\n\n--   FROM t', ['SELECT 1'], []],
    ['-- verify: SELECT 1\nSELECT 2;\n--   FROM t', ['SELECT 1'], []],
    ['-- verify: SELECT 1\r\n--   FROM t\r\n', ['SELECT 1\nFROM t'], []],
    ["-- verify: SELECT ':'", ["SELECT ':'"], []],
  ])('%j', async (script, before, after) => {
    expect(await queries(script)).toEqual([before, after]);
  });

  test('says where it stands', async () => {
    const { verifyAfter } = await read('SELECT 1;\n  -- verify:\n  --   SELECT 2');
    expect(verifyAfter).toEqual([{ query: 'SELECT 2', position: { line: 2, column: 6, offset: 15 } }]);
  });
});

describe('plain comments of people', () => {
  test.each([
    'Author: Bob',
    'verify that this works',
    'Verify',
    'verify before the release',
    'Verified: 2024-01-01 by Alice',
    'Verification: see the wiki',
    'Later: verify: SELECT 1',
    'Note: the lock-timeout: 5s was too short',
    'the lock-timeout is short',
    'lock timeout',
    'Lock timeout',
    'lock-timeout is set by the DBA',
    'lock_timeout is 5s by default',
    'statement timeout',
    'Statement timeouts are set elsewhere',
    'SET lock_timeout = 5s',
    'transaction',
    'Transactions',
    'begin transaction',
    'In transaction:',
    'no transactions yet',
    'there is no-transaction support here',
    'No transactional DDL here',
    'nontransactional',
    'Name: orders; Type: TABLE; Schema: public; Owner: -',
    'PostgreSQL database dump',
    'Dumped from database version 15.18 (Debian 15.18-0+deb12u1)',
    'holdfast',
    'holdfast is great: really',
    'Flyway: executeInTransaction=false',
    'disable-transaction',
    'migrate:up transaction:false',
    '+goose NO TRANSACTION',
    '+micrate Up',
    'liquibase formatted sql',
    'changeset bob:1 runInTransaction:false',
    'http://example.com/verify: the wiki',
    'Very important: read this',
    'Clarify: what this is',
    'Modify: orders',
    'Notify: team',
    'version: 3',
    'Date: 2024-01-01',
    'Ticket: ABC-123',
    'requires backfill',
    'CreateIndex',
    'AlterTable',
    '=============================================',
    '-----------------------------',
    '',
    '::',
    ':',
  ])('%s', async (text) => {
    expect(await read(`-- ${text}\nSELECT 1;\n-- ${text}`)).toEqual(NOTHING);
  });
});

describe('what is almost a directive', () => {
  test.each<[script: string, message: RegExp, line: number, column: number]>([
    ['-- no-transacton', /"no-transacton" is no directive; did you mean "no-transaction"\?/, 1, 4],
    ['-- no_transaction', /did you mean "no-transaction"/, 1, 4],
    ['-- no transaction', /did you mean "no-transaction"/, 1, 4],
    ['-- no-transactions', /did you mean "no-transaction"/, 1, 4],
    ['-- no-transaction because of CIC', /takes nothing behind it/, 1, 4],
    ['-- no-transaction: true', /takes nothing behind it/, 1, 4],
    ['-- lock_timeout: 5s', /did you mean "lock-timeout"/, 1, 4],
    ['-- locktimeout: 5s', /did you mean "lock-timeout"/, 1, 4],
    ['\n  -- statement-timout: 1s', /did you mean "statement-timeout"/, 2, 6],
    ['-- verfy: SELECT 1', /did you mean "verify"/, 1, 4],
    ['-- verify-after: SELECT 1', /did you mean "verify after"/, 1, 4],
    ['-- holdfst: no-transaction', /did you mean "holdfast"/, 1, 4],
    ['-- holdfast: notransaction', /"notransaction" .*did you mean "no-transaction"/, 1, 4],
    ['-- holdfast: retry', /"retry" is no directive\. There are no-transaction, lock-timeout/, 1, 4],
    ['-- holdfast:', /is no directive\. There are/, 1, 4],
    [
      '-- requires-backfill: metrics',
      /"requires-backfill" .*this version of holdfast knows\. Install a newer one/,
      1,
      4,
    ],
    ['-- requires_backfill: metrics', /Install a newer one/, 1, 4],
    ['-- holdfast: requires-backfill: metrics', /Install a newer one/, 1, 4],
  ])('%j', async (script, message, line, column) => {
    const failure = await read(script).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SqlSyntaxError);
    expect((failure as SqlSyntaxError).message).toMatch(message);
    expect((failure as SqlSyntaxError).position).toMatchObject({ line, column });
  });
});

describe('what cannot be honoured', () => {
  test.each([
    ['-- lock-timeout', /needs a time with its unit/],
    ['-- lock-timeout:', /needs a time with its unit/],
    ['-- lock-timeout 5s', /needs a time with its unit.*lock-timeout: 5s/],
    ['-- lock-timeout: 5', /needs a time/],
    ['-- lock-timeout: 5m', /needs a time/],
    ['-- lock-timeout: -1s', /needs a time/],
    ['-- lock-timeout: soon', /needs a time/],
    ['-- lock-timeout: 5s or so', /needs a time/],
    ['-- statement-timeout: 1000h', /at most 24 days/],
    ['-- lock-timeout: 5s\n-- lock-timeout: 6s', /"lock-timeout" is given a second time/],
    ['SELECT 1;\n-- no-transaction', /"no-transaction" must stand before the first statement/],
    ['SELECT 1; -- lock-timeout: 5s', /must stand before the first statement/],
    ['SELECT 1;\n-- statement-timeout: 5s\nSELECT 2', /must stand before the first statement/],
    ['-- verify:', /"verify" needs a query that returns no rows/],
    ['-- verify: all users have an email', /needs a query/],
    ['-- verify: DELETE FROM t', /needs a query/],
    ['-- verify:\n-- SELECT 1', /indented by two spaces/],
  ])('%j', async (script, message) => {
    await expect(read(script)).rejects.toThrow(message);
    await expect(read(script)).rejects.toThrow(SqlSyntaxError);
  });
});
