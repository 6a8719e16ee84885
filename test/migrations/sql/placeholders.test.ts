import { replacePlaceholders, type PlaceholderOptions } from '../../../src/migrations/sql/placeholders.js';
import { splitPostgres } from '../../../src/migrations/sql/postgres-splitter.js';
import { locate } from '../../../src/migrations/sql/source-cursor.js';
import { collect, cut } from './collect.js';

const placeholders = { schema: 'shop', two: 'SELECT 1;\nSELECT 2', none: '', nested: '${schema}', Case: 'A' };

async function replaced(text: string[], options: PlaceholderOptions = { placeholders }): Promise<string> {
  let result = '';
  for await (const piece of replacePlaceholders(text, options))
    result += typeof piece === 'string' ? piece : piece.value;
  return result;
}

describe('what is replaced', () => {
  test.each([
    ['', ''],
    ['nothing', 'nothing'],
    ['${schema}', 'shop'],
    ['a${schema}b${schema}', 'ashopbshop'],
    ['${none}', ''],
    ['${nested}', '${schema}'],
    ['${SCHEMA} ${case}', 'shop A'],
    ['${${schema}}', '${shop}'],
    ['$${schema}', '$shop'],
    ["'${schema}' -- ${schema}\n$$${schema}$$", "'shop' -- shop\n$$shop$$"],
    ['${other} ${schema', '${other} ${schema'],
    ['${schema ${schema}', '${schema shop'],
    ['${sche\nma} ${ schema }', '${sche\nma} ${ schema }'],
    ['${} $ {schema} $', '${} $ {schema} $'],
    ['${constructor} ${toString} ${__proto__}', '${constructor} ${toString} ${__proto__}'],
    [`\${${'x'.repeat(200)}} \${schema}`, `\${${'x'.repeat(200)}} shop`],
    ['😀${schema}😀', '😀shop😀'],
  ])('%j, however it is cut', async (text, expected) => {
    for (let size = 1; size <= text.length + 1; size++)
      expect(await replaced(cut(text, () => size))).toBe(expected);
  });

  test('names that differ in case alone are told apart, and no third spelling is either', async () => {
    const options = { placeholders: { name: '1', NAME: '2' } };
    expect(await replaced(['${name} ${NAME} ${Name}'], options)).toBe('1 2 ${Name}');
  });
});

describe('what was not declared', () => {
  const reportsOf = async (text: string[]): Promise<unknown[]> => {
    const reports: unknown[] = [];
    await replaced(text, {
      placeholders: { known: 'x' },
      onUndeclared: (name, { line, column }) => reports.push([name, line, column]),
    });
    return reports;
  };

  test.each([1, 3, 7, 1000])('is told once, with its place in the file, in pieces of %i', async (size) => {
    const text = '${known}\n${known} ${flyway:user} 😀 ${a.b-c}\r\n${flyway:user} ${x}';
    expect(await reportsOf(cut(text, () => size))).toEqual([
      ['flyway:user', 2, 10],
      ['a.b-c', 2, 27],
      ['x', 3, 16],
    ]);
  });

  test('is told of a hundred names and no more', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `\${n${index}}`);
    expect(await reportsOf([names.join(' ')])).toHaveLength(100);
  });

  test('is not told of what is no name', async () => {
    expect(await reportsOf(['${a + b} ${1} ${"x"} ${}'])).toEqual([]);
  });
});

describe('places in a script with replaced text', () => {
  const script = 'CREATE TABLE ${schema}.t (\n a ${none}int,\n b oops);\n${two}; SELECT ${SCHEMA}.x';

  test.each([1, 2, 5, 1000])('are those of the file, in pieces of %i', async (size) => {
    const text = replacePlaceholders(
      cut(script, () => size),
      { placeholders },
    );
    const items = await collect(splitPostgres, text);
    expect(items.map((item) => [item.text, item.start.line, item.start.column])).toEqual([
      ['CREATE TABLE shop.t (\n a int,\n b oops)', 1, 1],
      ['SELECT 1', 4, 1],
      ['SELECT 2', 4, 1],
      ['SELECT shop.x', 4, 9],
    ]);
    const [table, , , last] = items;
    const placeOf = (item: (typeof items)[number], what: string): unknown => {
      const { line, column, offset } = locate(item, item.text.indexOf(what));
      expect(script.indexOf(what === 'hop' ? '${SCHEMA}' : what)).toBe(offset);
      return [line, column];
    };
    expect(placeOf(table!, 'int')).toEqual([2, 11]);
    expect(placeOf(table!, 'oops')).toEqual([3, 4]);
    expect(placeOf(last!, 'hop')).toEqual([4, 16]);
    expect(placeOf(last!, '.x')).toEqual([4, 25]);
  });

  test('an error names the line of the file', async () => {
    const text = replacePlaceholders(['${two};\n${two};\n"unfinished'], { placeholders });
    await expect(collect(splitPostgres, text)).rejects.toThrow('begins at line 3, column 1');
  });
});
