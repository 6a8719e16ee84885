import fc from 'fast-check';
import { loadModule, parseSync, scanSync } from 'libpg-query';
import { SqlSyntaxError } from '../../../src/migrations/errors.js';
import { splitPostgres } from '../../../src/migrations/sql/postgres-splitter.js';
import { collect, cut, outcomeOf } from './collect.js';
import { PSQL_SCRIPTS, SERVER_SCRIPTS } from './postgres-scripts.js';

beforeAll(loadModule);

/** A script as the server's own grammar cuts it. */
function cutByGrammar(script: string): string[] {
  const bytes = Buffer.from(script);
  const { stmts = [] } = parseSync(script) as { stmts?: { stmt_location?: number; stmt_len?: number }[] };
  return stmts.map(({ stmt_location: from = 0, stmt_len: length }) =>
    bytes.toString('utf8', from, length === undefined ? undefined : from + length),
  );
}

/** Without the white space and the comments at both ends, which belong to nothing. */
function trim(statement: string): string {
  const tokens = scanSync(statement).tokens.filter(({ tokenName }) => !/COMMENT/.test(tokenName));
  const bytes = Buffer.from(statement);
  return bytes.toString('utf8', tokens[0]!.start, tokens.at(-1)!.end);
}

async function statementsOf(script: string): Promise<string[]> {
  const items = await collect(splitPostgres, [script]);
  return items.filter(({ kind }) => kind === 'statement').map(({ text }) => text);
}

/**
 * Not SQL, or no SQL that is complete: data, a parenthesis too many, nonsense; and what libpg-query reads otherwise than
 * the server, for it takes comments out of its white space: `'a' -- b`, a new line, and `'c'` are one text.
 */
const NOT_GRAMMATICAL =
  /^(?:COPY|a byte order mark|colons|a parenthesis too many|dollars in names|E quotes$|bit strings|U& quotes|a rule over|semicolons in everything|quotes that go on in the next line)/;

describe("the server's grammar cuts a script in the same places", () => {
  const scripts = [
    ...Object.entries(PSQL_SCRIPTS).filter(([name]) => !NOT_GRAMMATICAL.test(name)),
    ...Object.entries(SERVER_SCRIPTS).map(
      ([name, statements]) => [name, `${statements.join(';\n')};`] as const,
    ),
  ];

  test.each(scripts)('%s', async (_, script) => {
    expect((await statementsOf(script)).map(trim)).toEqual(cutByGrammar(script).map(trim));
  });
});

/** Statements that the grammar takes, with what could be taken for their end. */
const statement = fc.constantFrom(
  'SELECT 1',
  "SELECT 'a;''b', E'\\';', U&'\\0041;', B'01', X'1F', N';'",
  "SELECT E'a' -- b\n 'c\\';'",
  'SELECT 1 AS "a;""b", b$c$d, $1',
  'DO $$ BEGIN; END $$',
  'DO $größe$ $$;$$ \'" $größe$',
  'SELECT /* /* ; */ ; */ 1 -- a;b\n',
  'SELECT (SELECT (1)), 2 - -1, 6/2',
  'CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2;)',
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 1 AS end; END',
  'CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC END',
  'CREATE TABLE t (a text DEFAULT \';\', "b;" int)',
  'BEGIN',
  'END',
  "COPY t FROM 'stdin'",
);
const between = fc
  .array(fc.constantFrom(';', '\n', '\r\n', ' ', "-- a; b $$ '\n", '/* ; \' /* " */ $$ */'), { maxLength: 4 })
  .map((parts) => `;${parts.join('')}`);

test('statements that were joined come apart again, however the script is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(statement, between), { maxLength: 8 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 12 })),
      async (parts, sizes) => {
        const script = parts.flat().join('');
        const pieces = cut(script, () => sizes.next().value!);
        const items = await collect(splitPostgres, pieces);
        const found = items.filter(({ kind }) => kind === 'statement');
        expect(found.map(({ text }) => text)).toEqual(parts.map(([text]) => text.trimEnd()));
        for (const { text, start } of found) expect(script.startsWith(text, start.offset)).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

const SOUP = [
  "'",
  "''",
  "E'",
  "e'",
  "U&'",
  "B'",
  '"',
  '""',
  'U&"',
  '$$',
  '$a$',
  '$b$',
  '$é$',
  '$1',
  '$',
  '\\',
  '--',
  '/*',
  '*/',
  '\n',
  '\r',
  ' ',
  ';',
  '(',
  ')',
  'a',
  'E',
  'é',
  '😀',
  '1',
  '1e5',
  '+',
  '-',
  '/',
  '*',
  '.',
  ',',
  'select',
  'b$',
  '_',
  '\t',
  '\u00a0',
] as const;

/** Where semicolons outside parentheses are, by the tokens of the server's own scanner. Throws where it finds none. */
function endsByScanner(script: string): number[] {
  const bytes = Buffer.from(script);
  const ends: number[] = [];
  let depth = 0;
  for (const { text, start } of scanSync(script).tokens) {
    if (text === '\\') throw new Error('a command of psql');
    if (text === '(') depth++;
    else if (text === ')') depth = Math.max(0, depth - 1);
    else if (text === ';' && depth === 0) ends.push(bytes.toString('utf8', 0, start).length);
  }
  if (depth > 0) throw new Error('a parenthesis that is not closed');
  return ends;
}

test("of any soup of characters we make what the server's scanner makes", async () => {
  let scanned = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...SOUP), { maxLength: 25 }).map((parts) => parts.join('')),
      fc.infiniteStream(fc.integer({ min: 1, max: 6 })),
      async (script, sizes) => {
        const outcome = await outcomeOf(splitPostgres, [script]);
        const pieces = cut(script, () => sizes.next().value!);
        expect(await outcomeOf(splitPostgres, pieces)).toEqual(outcome);
        // See NOT_GRAMMATICAL.
        fc.pre(!/e'/i.test(script) || !/'[ \t\n\r]*--/.test(script));
        let ends: number[];
        try {
          ends = endsByScanner(script);
        } catch {
          return;
        }
        scanned++;
        expect(outcome).toBeInstanceOf(Array);
        const statements = (outcome as { kind: string; text: string; start: { offset: number } }[]).filter(
          ({ kind }) => kind === 'statement',
        );
        for (const { text, start } of statements)
          expect(ends.filter((end) => end >= start.offset && end < start.offset + text.length)).toEqual([]);
        const cuts = [-1, ...ends, script.length];
        const filled = cuts.slice(1).filter((end, index) => hasTokens(script.slice(cuts[index]! + 1, end)));
        expect(statements).toHaveLength(filled.length);
      },
    ),
    { numRuns: 1500 },
  );
  expect(scanned).toBeGreaterThan(100);
});

function hasTokens(text: string): boolean {
  return text !== '' && scanSync(text).tokens.some(({ tokenName }) => !/COMMENT/.test(tokenName));
}

test('what the scanner refuses as not ended, we refuse', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...SOUP), { maxLength: 25 }).map((parts) => parts.join('')),
      async (script) => {
        let message = '';
        try {
          scanSync(script);
        } catch (error) {
          message = (error as Error).message;
        }
        fc.pre(message.includes('unterminat'));
        const failure = await collect(splitPostgres, [script]).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(SqlSyntaxError);
      },
    ),
    { numRuns: 500 },
  );
});
