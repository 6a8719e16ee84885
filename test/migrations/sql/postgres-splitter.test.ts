import { SqlSyntaxError } from '../../../src/migrations/errors.js';
import { locate } from '../../../src/migrations/sql/source-cursor.js';
import { splitPostgres } from '../../../src/migrations/sql/postgres-splitter.js';
import { collect, cut, outcomeOf } from './collect.js';
import { collectGarbage } from '../../../src/pool-monitor/detection/collect-garbage.js';

const texts = async (script: string): Promise<string[]> =>
  (await collect(splitPostgres, [script])).map(({ text }) => text);

/** A script, and the statements in it. */
const SCRIPTS: readonly (readonly [name: string, script: string, statements: readonly string[]])[] = [
  ['nothing', '', []],
  ['white space', ' \t\r\n\v\f\n', []],
  ['semicolons alone', ';;\n ; ;', []],
  ['one without a semicolon', 'SELECT 1', ['SELECT 1']],
  ['one without a semicolon, a line end behind it', 'SELECT 1\n', ['SELECT 1']],
  ['two', 'SELECT 1;SELECT 2;', ['SELECT 1', 'SELECT 2']],
  ['empty ones between', ';SELECT 1;;\n;SELECT 2', ['SELECT 1', 'SELECT 2']],
  ['space before the semicolon', 'SELECT 1 \n ; SELECT 2', ['SELECT 1', 'SELECT 2']],
  ['a byte order mark', '\uFEFFSELECT 1;', ['SELECT 1']],
  ['CRLF', 'SELECT\r\n1;\r\nSELECT 2;\r\n', ['SELECT\r\n1', 'SELECT 2']],
  ['a no-break space is a letter', 'SELECT 1 AS a\u00a0;', ['SELECT 1 AS a\u00a0']],

  ['quotes', "SELECT ';', 'it''s;', '';", ["SELECT ';', 'it''s;', ''"]],
  ['a backslash in quotes is a character', "SELECT 'C:\\';SELECT 2", ["SELECT 'C:\\'", 'SELECT 2']],
  ['E quotes', "SELECT E'\\';', e'\\\\';SELECT 2", ["SELECT E'\\';', e'\\\\'", 'SELECT 2']],
  ['E quotes, doubled', "SELECT E''';''\\';', 1;SELECT 2", ["SELECT E''';''\\';', 1", 'SELECT 2']],
  [
    'E quotes that go on in the next line',
    "SELECT E'a' -- x\n -- '\n 'b\\';';SELECT 2",
    ["SELECT E'a' -- x\n -- '\n 'b\\';'", 'SELECT 2'],
  ],
  ['E quotes that do not go on', "SELECT E'a' 'b\\';SELECT 2", ["SELECT E'a' 'b\\'", 'SELECT 2']],
  ['E quotes that end the script', "SELECT E'a'\n-- x", ["SELECT E'a'\n-- x"]],
  ['a name that ends with E', "SELECT typeE'\\';SELECT 2", ["SELECT typeE'\\'", 'SELECT 2']],
  ['E right after quotes', "SELECT ''E'\\';';SELECT 2", ["SELECT ''E'\\';'", 'SELECT 2']],
  ['U& quotes', "SELECT U&'\\0041;\\';SELECT 2", ["SELECT U&'\\0041;\\'", 'SELECT 2']],
  ['bit strings', "SELECT B'01', X'1F', N'\\';SELECT 2", ["SELECT B'01', X'1F', N'\\'", 'SELECT 2']],
  [
    'quoted names',
    'SELECT 1 AS "a;""b", U&"\\0041;";SELECT 2',
    ['SELECT 1 AS "a;""b", U&"\\0041;"', 'SELECT 2'],
  ],

  ['dollar quotes', 'DO $$ BEGIN; END $$;SELECT 2', ['DO $$ BEGIN; END $$', 'SELECT 2']],
  ['a tag', "DO $a_1$;'$$ $b$ $a_1$;SELECT 2", ["DO $a_1$;'$$ $b$ $a_1$", 'SELECT 2']],
  ['a tag in Unicode', 'DO $größe日$;$$;$größe日$;SELECT 2', ['DO $größe日$;$$;$größe日$', 'SELECT 2']],
  ['tags are told apart by case', 'SELECT $A$;$a$;$A$;SELECT 2', ['SELECT $A$;$a$;$A$', 'SELECT 2']],
  ['a tag that ends another', 'SELECT $a$;$b$a$;SELECT 2', ['SELECT $a$;$b$a$', 'SELECT 2']],
  [
    'a dollar in a name is no quote',
    'SELECT foo$bar$baz; SELECT 2 $x',
    ['SELECT foo$bar$baz', 'SELECT 2 $x'],
  ],
  ['nor is one at its end', 'SELECT foo$$; SELECT foo$$', ['SELECT foo$$', 'SELECT foo$$']],
  ['parameters', 'SELECT $1; SELECT $2$$;$$', ['SELECT $1', 'SELECT $2$$;$$']],
  ['a number before a quote', 'SELECT 1$$;$$; SELECT 2', ['SELECT 1$$;$$', 'SELECT 2']],
  ['a quote after a quote', 'SELECT $$;$$$a$;$a$;SELECT 2', ['SELECT $$;$$$a$;$a$', 'SELECT 2']],
  ['no tag begins with a digit', 'SELECT $1a$;SELECT 2', ['SELECT $1a$', 'SELECT 2']],

  ['line comments', 'SELECT 1 -- a;b\n;SELECT 2--;', ['SELECT 1 -- a;b', 'SELECT 2--;']],
  ['a line comment ends with a carriage return', 'SELECT 1 --a\r;SELECT 2', ['SELECT 1 --a', 'SELECT 2']],
  ['minus is no comment', 'SELECT 1-1;SELECT - -1;', ['SELECT 1-1', 'SELECT - -1']],
  ['comments', 'SELECT /* ; */ 1;SELECT 2', ['SELECT /* ; */ 1', 'SELECT 2']],
  ['comments nest', 'SELECT /* /* ; */ ; /**/ */ 1;SELECT 2', ['SELECT /* /* ; */ ; /**/ */ 1', 'SELECT 2']],
  ['comments with odd edges', '/*/*/**/*/;**/SELECT 1;/***/ SELECT 2', ['SELECT 1', 'SELECT 2']],
  ['a comment in an operator', 'SELECT 1 +/* ; */ 2;SELECT 3', ['SELECT 1 +/* ; */ 2', 'SELECT 3']],
  ['division is no comment', 'SELECT 4/2;SELECT 1 / 2', ['SELECT 4/2', 'SELECT 1 / 2']],
  ['comments before a statement are left out', '-- a\n/* b; */ -- c\nSELECT 1', [' a', ' c', 'SELECT 1']],
  ['comments alone', '/* a; */ ; -- b', [' b']],
  [
    'a hint of pg_hint_plan belongs to its statement',
    '/*+ SeqScan(a) */ SELECT 1;',
    ['/*+ SeqScan(a) */ SELECT 1'],
  ],
  ['a hint alone', '/*+ x */ ; /*+ y */ -- z\n', []],
  ['an operator alone', '+; / ;-', ['+', '/', '-']],

  [
    'parentheses',
    'CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT (2););SELECT 2',
    ['CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT (2);)', 'SELECT 2'],
  ],
  ['a parenthesis too many', 'SELECT 1);SELECT (2)', ['SELECT 1)', 'SELECT (2)']],
  [
    'parentheses in quotes',
    'SELECT \'(\', "(", $$($$ /* ( */ -- (\n;SELECT 2',
    ['SELECT \'(\', "(", $$($$ /* ( */ -- (', 'SELECT 2'],
  ],
];

const BODIES: readonly string[] = [
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END',
  'create or replace procedure p()\nbegin atomic\n insert into t values (1);\nend',
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC END',
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 ELSE 2 END; END',
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN CASE b WHEN 1 THEN 2 END END; END',
  'CREATE FUNCTION f() RETURNS int BEGIN /* x */ -- y\n ATOMIC SELECT 1; /* END */ END',
  // Led astray by these: psql.
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS end; SELECT t.end, 1 end FROM t; END',
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS "end"; SELECT 1 AS begin; END',
  'CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$',
  "CREATE FUNCTION f(begin int, atomic int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1;'",
  'CREATE FUNCTION f() RETURNS t.case BEGIN ATOMIC SELECT (SELECT 1); END',
  "CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT 'END;'; SELECT $$;END$$; END",
  'CREATE FUNCTION append() RETURNS text BEGIN ATOMIC SELECT endless FROM t; END',
];

const NOT_BODIES: readonly (readonly [script: string, statements: readonly string[]])[] = [
  ['BEGIN; SELECT 1; END; SELECT 2', ['BEGIN', 'SELECT 1', 'END', 'SELECT 2']],
  ['CREATE TABLE begin (atomic int); SELECT 1', ['CREATE TABLE begin (atomic int)', 'SELECT 1']],
  ['CREATE VIEW v AS SELECT 1 AS begin; END; ', ['CREATE VIEW v AS SELECT 1 AS begin', 'END']],
  ['SELECT CASE WHEN true THEN 1 END; END', ['SELECT CASE WHEN true THEN 1 END', 'END']],
];

describe('statements', () => {
  test.each(SCRIPTS)('%s', async (_, script, statements) => {
    expect(await texts(script)).toEqual(statements);
  });

  test.each(BODIES)('the body of a routine is one with it: %s', async (statement) => {
    expect(await texts(`${statement};\nSELECT 2; END;`)).toEqual([statement, 'SELECT 2', 'END']);
    expect(await texts(`${statement}`)).toEqual([statement]);
  });

  test.each(NOT_BODIES)('no body: %s', async (script, statements) => {
    expect(await texts(script)).toEqual(statements);
  });

  test('they are numbered, comments are not', async () => {
    const items = await collect(splitPostgres, ['SELECT 1; -- no\nCOPY t FROM stdin;\n1\n\\.\nSELECT 3']);
    expect(items.map((item) => [item.kind, 'index' in item ? item.index : undefined])).toEqual([
      ['statement', 1],
      ['comment', undefined],
      ['copy', 2],
      ['statement', 3],
    ]);
  });

  test('what one piece completed comes at once', async () => {
    const groups: string[][] = [];
    for await (const items of splitPostgres(['SELECT 1; -- a\nSEL', 'ECT 2;SELECT 3;S', 'ELECT 4']))
      groups.push(items.map(({ text }) => text));
    expect(groups).toEqual([['SELECT 1', ' a'], ['SELECT 2', 'SELECT 3'], ['SELECT 4']]);
  });

  test('the source is ended when nobody wants more', async () => {
    let ended = false;
    function* source(): Generator<string> {
      try {
        for (;;) yield 'SELECT 1;';
      } finally {
        ended = true;
      }
    }
    for await (const _ of splitPostgres(source())) break;
    expect(ended).toBe(true);
  });
});

describe('places', () => {
  test.each([
    ['\uFEFFSELECT 1', [[1, 1, 0]]],
    [
      '\n\n  SELECT 1;\tSELECT 2',
      [
        [3, 3, 4],
        [3, 13, 14],
      ],
    ],
    [
      'a;\r\nb;\rc;\n\rd',
      [
        [1, 1, 0],
        [2, 1, 4],
        [3, 1, 7],
        [5, 1, 11],
      ],
    ],
    [
      "SELECT '😀é';SELECT 2",
      [
        [1, 1, 0],
        [1, 13, 13],
      ],
    ],
    [
      '/* é\n😀 */ SELECT 1; --x',
      [
        [2, 6, 11],
        [2, 18, 23],
      ],
    ],
    [
      '$$\n\n$$;a',
      [
        [1, 1, 0],
        [3, 4, 7],
      ],
    ],
  ])('of %j', async (script, expected) => {
    const items = await collect(splitPostgres, [script]);
    expect(items.map(({ start }) => [start.line, start.column, start.offset])).toEqual(expected);
  });

  test('inside a statement', async () => {
    const [statement] = await collect(splitPostgres, ['\n  SELECT\r\n  oops']);
    expect(locate(statement!, statement!.text.indexOf('oops'))).toEqual({ line: 3, column: 3, offset: 13 });
  });
});

describe('COPY … FROM stdin', () => {
  const copy = async (script: string): Promise<unknown> =>
    (await collect(splitPostgres, [script])).map((item) =>
      item.kind === 'copy' ? [item.text, item.data] : item.text,
    );

  test.each([
    ['COPY t FROM stdin;\n1\n2\n\\.\nSELECT 1;', [['COPY t FROM stdin', '1\n2\n'], 'SELECT 1']],
    ['COPY t FROM stdin;\n\\.\nSELECT 1;', [['COPY t FROM stdin', ''], 'SELECT 1']],
    ['COPY t FROM stdin;\n\n\\.\n', [['COPY t FROM stdin', '\n']]],
    ['COPY t FROM stdin;\n1\n\\.', [['COPY t FROM stdin', '1\n']]],
    ['COPY t FROM stdin ; -- a; b\r\n1\r\n\\.\r\nSELECT 1', [['COPY t FROM stdin', '1\r\n'], 'SELECT 1']],
    ['COPY t FROM stdin;\r1\r2\r\\.\rSELECT 1', [['COPY t FROM stdin', '1\r2\r'], 'SELECT 1']],
    [
      "COPY t FROM stdin;\nit's; -- $$ /*\n\\.\nSELECT 1",
      [['COPY t FROM stdin', "it's; -- $$ /*\n"], 'SELECT 1'],
    ],
    [
      'COPY t FROM stdin;\na\\.\n\\.b\n \\.\n\\\\.\n\\N\n\\.\n',
      [['COPY t FROM stdin', 'a\\.\n\\.b\n \\.\n\\\\.\n\\N\n']],
    ],
    ['COPY t FROM stdin;\n1\\\n\\.\nSELECT 1', [['COPY t FROM stdin', '1\\\n'], 'SELECT 1']],
    [
      'copy "from" (a, "stdin") From /* x */ STDIN with (format csv, header);\n1\n\\.\n',
      [['copy "from" (a, "stdin") From /* x */ STDIN with (format csv, header)', '1\n']],
    ],
    ['COPY s.t FROM STDIN CSV WHERE a > 1;\n1\n\\.\n', [['COPY s.t FROM STDIN CSV WHERE a > 1', '1\n']]],
    ['COPY t FROM STDOUT;\n1\n\\.\n', [['COPY t FROM STDOUT', '1\n']]],
    [
      'COPY a FROM stdin;\n1\n\\.\nCOPY b FROM stdin;\n2\n\\.\n',
      [
        ['COPY a FROM stdin', '1\n'],
        ['COPY b FROM stdin', '2\n'],
      ],
    ],
  ])('%j', async (script, expected) => {
    expect(await copy(script)).toEqual(expected);
  });

  test.each([
    "COPY t FROM '/tmp/stdin'",
    "COPY t FROM PROGRAM 'cat stdin'",
    'COPY t TO stdout',
    'COPY (SELECT * FROM stdin) TO stdout',
    'COPY t (a) TO STDIN',
    'CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ COPY t FROM stdin; $$',
    "SELECT 'COPY t FROM stdin;\n\\.'",
  ])('no data follows %s', async (statement) => {
    expect(await copy(`${statement};\nSELECT 1;`)).toEqual([statement, 'SELECT 1']);
  });

  const twoCopies = 'COPY a FROM stdin;\n1\n2\n\\.\nSELECT 1;\nCOPY b FROM stdin;\n3\n\\.\nSELECT 2;';

  test.each([1, 7, 1000])('data that is not read is skipped, in pieces of %i', async (size) => {
    const found: string[] = [];
    for await (const items of splitPostgres(cut(twoCopies, () => size)))
      found.push(...items.map(({ text }) => text));
    expect(found).toEqual(['COPY a FROM stdin', 'SELECT 1', 'COPY b FROM stdin', 'SELECT 2']);
  });

  test('so is what is left of it', async () => {
    const found: string[] = [];
    for await (const items of splitPostgres(cut(twoCopies, () => 3))) {
      const last = items.at(-1)!;
      found.push(...items.map(({ text }) => text));
      if (last.kind === 'copy') for await (const _ of last.data) break;
    }
    expect(found).toEqual(['COPY a FROM stdin', 'SELECT 1', 'COPY b FROM stdin', 'SELECT 2']);
  });
});

describe('pg_dump', () => {
  test('its lines \\restrict and \\unrestrict are skipped', async () => {
    const script = '--\n-- dump\n--\n\n\\restrict aB3\n\nSELECT 1;\n\n\\unrestrict aB3\r\n\\unrestrict aB3';
    expect(await texts(script)).toEqual(['', ' dump', '', 'SELECT 1']);
  });
});

/** What is kept, in bytes: how much garbage lies about is the collector's affair. */
function liveMemory(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

test('memory stays flat, however long the script is', async () => {
  const rows = "INSERT INTO t VALUES (1, 'a''b;', $$c$$); -- d\n".repeat(1400);
  function* script(): Generator<string> {
    for (let count = 0; count < 200; count++) yield rows;
  }
  const before = liveMemory();
  let most = 0;
  let found = 0;
  let nextLook = 0;
  for await (const items of splitPostgres(script())) {
    found += items.length;
    if (found < nextLook) continue;
    nextLook += 80_000;
    most = Math.max(most, liveMemory() - before);
  }
  expect(found).toBe(560_000);
  // The script has 13 MB; what it is split into would be several times of that.
  expect(most).toBeLessThan(8 * 1024 * 1024);
});

/** A script that can never be sent, what is said, and where. */
const ERRORS: readonly (readonly [script: string, message: RegExp, line: number, column: number])[] = [
  ["SELECT 1;\n  SELECT 'it''s", /text in ' quotes that begins at line 2, column 10/, 2, 10],
  ["SELECT E'\\'", /text in ' quotes/, 1, 9],
  ["SELECT E'a'\n 'b\\'", /text in ' quotes/, 1, 9],
  ['SELECT "a""', /name in " quotes/, 1, 8],
  ['SELECT $$ $x$', /dollar quotes/, 1, 8],
  ['SELECT $a$ $$ $A$', /dollar quotes/, 1, 8],
  [
    '/* /* */ ',
    /comment that begins at line 1, column 1 does not end: \*\/ is missing\. Comments nest/,
    1,
    1,
  ],
  ['SELECT 1;\n/*/', /comment that begins at line 2, column 1/, 2, 1],
  ['SELECT (1;\nSELECT 2;', /parenthesis that opens at line 1, column 8 is not closed/, 1, 8],
  ["SELECT (1, (2);\nSELECT ')';", /parenthesis that opens at line 1, column 8/, 1, 8],
  [
    "CREATE TABLE t (\n a int,\n b text DEFAULT 'x);",
    /text in ' quotes that begins at line 3, column 17/,
    3,
    17,
  ],
  ['CREATE FUNCTION f() RETURNS int BEGIN\n ATOMIC SELECT 1;', /BEGIN ATOMIC/, 2, 2],
  ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 END;', /no END after its last semicolon/, 1, 39],
  ['\n \\i other.sql', /\\i at line 2, column 2 is a command of psql.*put the text of that file here/, 2, 2],
  ['SELECT 1 \\gexec\n', /\\gexec at line 1, column 10.*DO block/, 1, 10],
  ["\\copy t FROM 'x'", /\\copy .*COPY … FROM stdin;/, 1, 1],
  ['\\c other', /\\c .*a migration stays in the database/, 1, 1],
  ['\\constructor', /\\constructor .*: take it out\.$/, 1, 1],
  ['SELECT 1 \\; SELECT 2;', /\\; at line 1/, 1, 10],
  ['\\', /\\ at line 1/, 1, 1],
  ['1\n\\.\n', /\\\. at line 2, column 1.*it ends data/, 2, 1],
  ['SELECT 1 \\restrict x', /\\restrict at line 1, column 10/, 1, 10],
  ['\\restricted x', /\\restricted/, 1, 1],
  ['\n COPY t FROM stdin;\n1\n2\n', /data of COPY … FROM stdin at line 2, column 2 does not end/, 2, 2],
  ['COPY t FROM stdin;\n\\.x\n', /does not end/, 1, 1],
  ['COPY t FROM stdin; SELECT 1;\n1\n\\.\n', /statement at line 1, column 20 stands on the line/, 1, 20],
  ['COPY t FROM stdin;', /has no data/, 1, 1],
  ['COPY t FROM stdin', /has no data/, 1, 1],
];

describe('what can never be sent', () => {
  test.each(ERRORS)('%j', async (script, message, line, column) => {
    const failure = await collect(splitPostgres, [script]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SqlSyntaxError);
    expect((failure as SqlSyntaxError).message).toMatch(message);
    expect((failure as SqlSyntaxError).position).toMatchObject({ line, column });
  });
});

describe('however the script is cut', () => {
  const scripts = [
    ...SCRIPTS.map(([, script]) => script),
    ...BODIES.map((body) => `${body};\nSELECT 2;`),
    ...NOT_BODIES.map(([script]) => script),
    ...ERRORS.map(([script]) => script),
  ];

  test.each(scripts)('%j', async (script) => {
    const whole = await outcomeOf(splitPostgres, [script]);
    for (let size = 1; size <= 4; size++)
      expect(
        await outcomeOf(
          splitPostgres,
          cut(script, () => size),
        ),
      ).toEqual(whole);
    for (let first = 1; first < script.length; first++) {
      const sizes = [first, script.length];
      expect(
        await outcomeOf(
          splitPostgres,
          cut(script, () => sizes.shift()!),
        ),
      ).toEqual(whole);
    }
  });
});
