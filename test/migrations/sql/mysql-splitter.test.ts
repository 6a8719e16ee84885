import { SqlSyntaxError } from '../../../src/migrations/errors.js';
import { splitMysql } from '../../../src/migrations/sql/mysql-splitter.js';
import type { ScriptItem, ScriptText } from '../../../src/migrations/sql/statement.js';

async function split(script: ScriptText): Promise<ScriptItem[]> {
  const found: ScriptItem[] = [];
  for await (const items of splitMysql(script)) found.push(...items);
  return found;
}

async function statementsOf(text: string): Promise<string[]> {
  return (await split([text])).filter(({ kind }) => kind === 'statement').map((item) => item.text);
}

async function failureOf(text: string): Promise<SqlSyntaxError> {
  const error = await split([text]).catch((thrown: unknown) => thrown);
  if (error instanceof SqlSyntaxError) return error;
  throw new Error(`no SqlSyntaxError: ${String(error)}`);
}

describe('where a statement ends', () => {
  test.each<[string, string, string[]]>([
    ['a semicolon', 'SELECT 1; SELECT 2;', ['SELECT 1', 'SELECT 2']],
    ['the end of the file', 'SELECT 1;\nSELECT 2', ['SELECT 1', 'SELECT 2']],
    ['\\G and \\g', 'SELECT 1\\G SELECT 2\\g\nSELECT 3', ['SELECT 1', 'SELECT 2', 'SELECT 3']],
    ['nothing, where nothing is', ' ;; \n ; -- c\n;\\g # d', []],
    [
      'not in single quotes',
      "SELECT 'a;b', 'it''s;', '\\';';SELECT 2",
      ["SELECT 'a;b', 'it''s;', '\\';'", 'SELECT 2'],
    ],
    [
      'not in double quotes',
      'SELECT "a;b", "a"";b", "\\";";SELECT 2',
      ['SELECT "a;b", "a"";b", "\\";"', 'SELECT 2'],
    ],
    [
      'not in backticks, where \\ is no escape',
      'SELECT `a;``b\\`;SELECT 2',
      ['SELECT `a;``b\\`', 'SELECT 2'],
    ],
    ['not in a comment', 'SELECT 1 /* ; */ + 1 -- ;\n+ 1 # ;\n;', ['SELECT 1 /* ; */ + 1 -- ;\n+ 1 # ;']],
    ['-- without a space is two minus signs', 'SELECT 5--1; SELECT 2', ['SELECT 5--1', 'SELECT 2']],
    [
      '-- before a control character is a comment',
      'SELECT 1 --\u0001;\n; SELECT 2',
      ['SELECT 1 --\u0001;', 'SELECT 2'],
    ],
    ['comments do not nest', 'SELECT 1 /* /* ; */; SELECT 2', ['SELECT 1 /* /* ; */', 'SELECT 2']],
    [
      'an executable comment is code',
      "/*!40101 SET NAMES 'a;b' */; /*M!100100 SELECT 1 */;",
      ["/*!40101 SET NAMES 'a;b' */", '/*M!100100 SELECT 1 */'],
    ],
    ['\\N is NULL', 'SELECT \\N; SELECT 2', ['SELECT \\N', 'SELECT 2']],
    [
      'NO_BACKSLASH_ESCAPES of the file itself',
      "SET sql_mode='NO_BACKSLASH_ESCAPES'; SELECT '\\'; SET sql_mode=''; SELECT '\\';'",
      ["SET sql_mode='NO_BACKSLASH_ESCAPES'", "SELECT '\\'", "SET sql_mode=''", "SELECT '\\';'"],
    ],
  ])('%s', async (_, text, expected) => {
    expect(await statementsOf(text)).toEqual(expected);
  });
});

describe('what can never be sent is refused with its place', () => {
  test.each<[string, string, [number, number], RegExp]>([
    ['a text without end', "SELECT 1;\n SELECT 'a;\n", [2, 9], /text in '/],
    ['a text that ends in an escape', "SELECT 'a\\", [1, 8], /text in '/],
    ['a name without end', 'SELECT `a;', [1, 8], /name in `/],
    ['a comment without end', 'SELECT 1;\r\n/* a; *', [2, 1], /comment .* does not end/],
    ['an executable comment without end', 'SELECT /*!80000 1', [1, 8], /comment .* does not end/],
    ['a block without END', 'CREATE PROCEDURE p()\nBEGIN\n SELECT 1;\n', [2, 1], /no END/],
    [
      'one END for two blocks',
      'CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN IF 1 THEN SET @a = 1; END',
      [1, 50],
      /no END/,
    ],
    ['a terminator in an executable comment', '/*! SELECT 1; */', [1, 1], /cut it in two/],
    ['DELIMITER without its argument', 'SELECT 1;\nDELIMITER\nSELECT 2', [2, 1], /DELIMITER/],
    ['DELIMITER with a backslash', 'DELIMITER \\\\\n', [1, 1], /backslash/],
    ['source', 'SELECT 1;\n  source other.sql\n', [2, 3], /source .* client/],
    ['system', 'system ls;', [1, 1], /system .* client/],
    ['\\.', '\\. other.sql', [1, 1], /\\\. .* client/],
    ['\\! in a statement', 'SELECT 1 \\! ls', [1, 10], /\\! .* client/],
    ['a comment that goes on behind a lone carriage return', '-- a\rSELECT 1;\n', [1, 5], /carriage return/],
    ['columns count code points', "SELECT '😀😀', 'x", [1, 14], /does not end/],
  ])('%s', async (_, text, [line, column], message) => {
    const failure = await failureOf(text);
    expect(failure.message).toMatch(message);
    expect(failure.position).toMatchObject({ line, column });
  });
});
