import fc from 'fast-check';
import { maskStatement } from '../../src/pool-monitor/mask-statement.js';
import { cpuMsOf } from '../harness/cpu-time.js';

test.each([
  ["SELECT * FROM card WHERE number = '4111' AND id = 7", 'SELECT * FROM card WHERE number = ? AND id = ?'],
  ["SELECT 'it''s', E'a\\'b', U&'\\0041', x'FF', N'n'", 'SELECT ?, ?, …'],
  ["SELECT E'secret\\\\' AS a, E'\\'secret' AS b", 'SELECT ? AS a, ? AS b'],
  [
    "UPDATE t SET a = $$se'cret$$, b = $tag$sec$$ret$tag$ WHERE c = $1",
    'UPDATE t SET a = ?, b = ? WHERE c = $1',
  ],
  ['SELECT 1.5, -2e10, .5, 0xFF, 1_000', 'SELECT ?, -?, ?, …'],
  ['SELECT a1, "Col 2" FROM "my ""table""" -- secret', 'SELECT a1, "Col 2" FROM "my ""table"""'],
  ['/* secret /* nested */ secret */ SELECT a\n  FROM b;  ', 'SELECT a FROM b'],
  ["SELECT date'2020-01-01', interval '1 day'", 'SELECT date?, interval ?'],
  ["INSERT INTO t VALUES (1, 'a', 2), (3, 'b', 4)", 'INSERT INTO t VALUES (?, ?, …), (?, ?, …)'],
  ["SELECT a WHERE b = 'cut off in the midd", 'SELECT a WHERE b = ?'],
  ['SELECT a WHERE b = $$cut off', 'SELECT a WHERE b = ?'],
  ['SET app.user_id = secret21', 'SET app.user_id = ?'],
  ['set search_path TO tenant_secret, public', 'set search_path TO ?'],
  ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE'],
  ["SELECT a WHERE b = E'cut off\\", 'SELECT a WHERE b = ?'],
  ['', ''],
])('on PostgreSQL %s', (text, masked) => {
  expect(maskStatement(text, { name: 'postgres' })).toBe(masked);
});

test.each([
  [`SELECT "it's secret", 'a\\'b', _utf8'x'`, 'SELECT ?, ?, _utf8?'],
  ['SELECT `a"b` FROM `t` # secret\nWHERE c=1', 'SELECT `a"b` FROM `t` WHERE c=?'],
  ['SELECT 5--1 -- secret', 'SELECT ?--?'],
  ["SELECT @@version, @a := 5, 0xFF, x'ff'", 'SELECT @@version, @a := ?, ?, …'],
  ["SELECT /*! 'secret' */ a /* secret */", 'SELECT a'],
  ["SELECT a FROM b WHERE c = 'secret\\", 'SELECT a FROM b WHERE c = ?'],
  ['SELECT a FROM b WHERE c = ?', 'SELECT a FROM b WHERE c = ?'],
])('on MySQL %s', (text, masked) => {
  expect(maskStatement(text, { name: 'mysql' })).toBe(masked);
});

test('on SQLite', () => {
  expect(
    maskStatement(`SELECT [a 'b], "c" FROM d WHERE e = 'f' AND g = ?1 AND h = :name`, { name: 'sqlite' }),
  ).toBe(`SELECT [a 'b], "c" FROM d WHERE e = ? AND g = ?1 AND h = :name`);
});

test('it is cut at 300 characters, in no character’s middle, and soon for a text of any length', async () => {
  const long = maskStatement(`SELECT ${'a, '.repeat(200)}b`, { name: 'postgres' });
  expect(long).toHaveLength(300);
  expect(long).toMatch(/…$/);
  expect(maskStatement(`SELECT ${'"🙂"'.repeat(200)}`, { name: 'postgres' })).not.toMatch(/[\uD800-\uDBFF]…/);
  const text = `SELECT '${'x'.repeat(50_000_000)}', a`;
  const took = await cpuMsOf(() => expect(maskStatement(text, { name: 'postgres' })).toBe('SELECT ?…'));
  expect(took).toBeLessThan(1000);
});

test.each(['postgres', 'mysql'] as const)('no literal of %s is seen, wherever it stands', (dialect) => {
  const quote = (text: string): string =>
    dialect === 'postgres'
      ? `'${text.replaceAll("'", "''")}'`
      : `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
  const secret = fc.string({
    unit: fc.constantFrom("'", '"', '\\', '$', '-', '/', '*', '#', ' ', '\n', 'k'),
  });
  fc.assert(
    fc.property(fc.array(secret, { maxLength: 5 }), (secrets) => {
      const list = secrets.map((text) => quote(`SECRET${text}SECRET`)).join(' || ');
      expect(maskStatement(`SELECT ${list} FROM t WHERE a = 1`, { name: dialect })).not.toMatch(/SECRET|k/);
    }),
    { numRuns: 500 },
  );
});
