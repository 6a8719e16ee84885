import fc from 'fast-check';
import { SqlSyntaxError } from '../../../src/migrations/errors.js';
import { splitMysql } from '../../../src/migrations/sql/mysql-splitter.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { collect, cut, outcomeOf } from './collect.js';
import { BLOCKS, CLIENT_SCRIPTS, ORACLE_BLOCKS } from './mysql-scripts.js';

async function statementsOf(text: string): Promise<string[]> {
  return (await collect(splitMysql, [text]))
    .filter(({ kind }) => kind === 'statement')
    .map((item) => item.text);
}

async function failureOf(text: string): Promise<SqlSyntaxError> {
  const error = await collect(splitMysql, [text]).catch((thrown: unknown) => thrown);
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

const REFUSED: readonly [what: string, script: string, place: [number, number], message: RegExp][] = [
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
];

describe('what can never be sent is refused with its place', () => {
  test.each(REFUSED)('%s', async (_, text, [line, column], message) => {
    const failure = await failureOf(text);
    expect(failure.message).toMatch(message);
    expect(failure.position).toMatchObject({ line, column });
  });
});

describe('statements that hold statements', () => {
  const db = useMysqlDatabase([
    'CREATE TABLE x (a INT)',
    'CREATE TRIGGER `first` AFTER INSERT ON x FOR EACH ROW SET @c = 1',
    'CREATE EVENT other ON SCHEDULE EVERY 1 DAY DO SELECT 1',
  ]);
  const grid = [
    ...Object.entries(BLOCKS).map(([name, text]) => [name, text, 'DEFAULT'] as const),
    ...Object.entries(ORACLE_BLOCKS).map(
      ([name, text]) => [`Oracle mode: ${name}`, text, "'ORACLE'"] as const,
    ),
  ];

  test.each(grid)('need no DELIMITER: %s', async (_, text) => {
    expect(await statementsOf(`SELECT 1;\n${text};\nSELECT 2;`)).toEqual(['SELECT 1', text, 'SELECT 2']);
    expect(await statementsOf(`${text};;${text}`)).toEqual([text, text]);
    expect(await statementsOf(text.toLowerCase())).toEqual([text.toLowerCase()]);
  });

  test.each(grid)('are the same with DELIMITER: %s', async (_, text) => {
    const script = `DELIMITER //\n${text}//\nSELECT 1; SELECT 2//\nDELIMITER ;\nSELECT 3;`;
    expect(await statementsOf(script)).toEqual([text, 'SELECT 1; SELECT 2', 'SELECT 3']);
  });

  test.each(grid)('are what MariaDB takes: %s', async (_, text, mode) => {
    const connection = await db.connection();
    await connection.query(`SET sql_mode = ${mode}`);
    for (const left of [
      'PROCEDURE IF EXISTS p',
      'FUNCTION IF EXISTS p',
      'TRIGGER IF EXISTS t',
      'EVENT IF EXISTS e',
    ])
      await connection.query(`DROP ${left}`);
    if (mode === "'ORACLE'") await connection.query('DROP PACKAGE IF EXISTS k');
    if (text.startsWith('CREATE PACKAGE BODY')) await connection.query(ORACLE_BLOCKS['a package']!);
    await expect(connection.query(text)).resolves.toBeDefined();
  });
});

describe('a script that comes in pieces', () => {
  const scripts = [
    ...Object.entries(CLIENT_SCRIPTS),
    ...[...Object.entries(BLOCKS), ...Object.entries(ORACLE_BLOCKS)].map(
      ([name, text]) => [name, `${text};SELECT 1`] as const,
    ),
    ...REFUSED.map(([name, text]) => [name, text] as const),
  ];

  test.each(scripts)('is split as the whole is: %s', async (_, script) => {
    const whole = await outcomeOf(splitMysql, [script]);
    for (const length of [1, 2, 3, 7])
      expect(
        await outcomeOf(
          splitMysql,
          cut(script, () => length),
        ),
      ).toEqual(whole);
  });

  test('is split as the whole is, wherever it is cut', async () => {
    const script = Object.values(CLIENT_SCRIPTS)
      .map((text) => `${text.replace('\uFEFF', '')}\n;\nDELIMITER ;\n`)
      .join('');
    const whole = await outcomeOf(splitMysql, [script]);
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.integer({ min: 1, max: 40 })), async (lengths) => {
        expect(
          await outcomeOf(
            splitMysql,
            cut(script, () => lengths.next().value),
          ),
        ).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });
});

test('statements of any tokens are found again, with their places', async () => {
  const quoted = (quote: string) =>
    fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => {
      const escaped = quote === '`' ? text : text.replaceAll('\\', '\\\\');
      return quote + escaped.replaceAll(quote, quote + quote) + quote;
    });
  const token = fc.oneof(
    fc.constantFrom(
      '1',
      '5--1',
      '*',
      '/',
      '-',
      '(',
      ')',
      '@a',
      '\\N',
      'x',
      'end',
      'begin',
      'CASE',
      '/*!50000 1 */',
    ),
    fc.constantFrom('/* a;b */', '-- c;d\n', "# it's;\n", '/**/'),
    quoted("'"),
    quoted('"'),
    quoted('`'),
  );
  const statement = fc.array(token, { maxLength: 8 }).map((tokens) => ['SELECT', ...tokens, '1'].join(' '));
  const delimiter = fc.constantFrom(';', '//', '$$', ';;', '|');
  await fc.assert(
    fc.asyncProperty(
      delimiter,
      fc.array(statement),
      fc.infiniteStream(fc.nat(30)),
      async (end, statements, lengths) => {
        const parts = statements.filter((text) => end === ';' || !text.includes(end));
        const script = `DELIMITER ${end}\n${parts.map((text) => ` ${text}\n${end}`).join('\r\n')}`;
        const items = await collect(
          splitMysql,
          cut(script, () => lengths.next().value + 1),
        );
        expect(items.map(({ text }) => text)).toEqual(parts);
        for (const { text, start } of items) {
          const before = script.slice(0, start.offset);
          expect(script.startsWith(text, start.offset)).toBe(true);
          const lines = before.split(/\r\n|\r|\n/);
          expect(start).toMatchObject({ line: lines.length, column: Array.from(lines.at(-1)!).length + 1 });
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('comments on lines of their own are items with their places', async () => {
  const script =
    '-- verify: SELECT 1\r\n  # two\nSELECT 1 -- inside\n; -- behind\n/* not this */ --\nSELECT 2; -- last';
  const items = await collect(splitMysql, [script]);
  expect(items.map(({ kind, text, start }) => [kind, text, start.line, start.column])).toEqual([
    ['comment', ' verify: SELECT 1', 1, 3],
    ['comment', ' two', 2, 4],
    ['statement', 'SELECT 1 -- inside', 3, 1],
    ['comment', ' behind', 4, 5],
    ['comment', '', 5, 18],
    ['statement', 'SELECT 2', 6, 1],
    ['comment', ' last', 6, 13],
  ]);
});

test.each([
  ['a line', 'use shop\nSELECT 1;', ['use shop', 'SELECT 1']],
  ['a quoted name', 'USE `shop; -- x`;SELECT 1', ['USE `shop; -- x`', 'SELECT 1']],
  ['a statement', 'USE shop; SELECT 1;', ['USE shop', 'SELECT 1']],
  ['a comment behind', 'use shop -- x\nSELECT 1', ['use shop', 'SELECT 1']],
])('USE ends with its line or as a statement: %s', async (_, script, expected) => {
  expect(await statementsOf(script)).toEqual(expected);
});
