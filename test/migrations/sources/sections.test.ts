import fc from 'fast-check';
import { readSection, SectionFinder, sectionsOf } from '../../../src/migrations/sources/sections';

async function section(text: string | string[], which: 'up' | 'down'): Promise<string> {
  let result = '';
  for await (const piece of readSection(typeof text === 'string' ? [text] : text, which)) result += piece;
  return result;
}

function found(text: string, size?: number): string[] {
  const bytes = Buffer.from(text);
  if (size === undefined) return [...sectionsOf(bytes)].sort();
  const finder = new SectionFinder();
  for (let at = 0; at < bytes.length; at += size) finder.update(bytes.subarray(at, at + size));
  return [...finder.finish()].sort();
}

const cut = (text: string, size: number) =>
  Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
    text.slice(index * size, (index + 1) * size),
  );

describe('a marker', () => {
  test.each([
    ['-- migrate:up', 'up'],
    ['--migrate:up', 'up'],
    ['-- migrate:down', 'down'],
    ['-- migrate:up transaction:false', 'up'],
    ['-- Up Migration', 'up'],
    ['-- Down Migration', 'down'],
    ['---- up   migration ----', 'up'],
    ['-- +goose Down', 'down'],
    ['-- +migrate Up notransaction', 'up'],
  ])('%s', async (marker, direction) => {
    expect(found(`a;\n${marker}\nb;`)).toEqual([direction]);
    expect(found(marker)).toEqual([direction]);
    expect(found(`\uFEFF${marker}\r\n`)).toEqual([direction]);
    expect(found(`x\r${marker}\rx`)).toEqual([direction]);
    const other = direction === 'up' ? 'down' : 'up';
    expect((await section(`-- migrate:${other}\n${marker}\nb;`, other)).trim()).toBe('');
    expect(await section(`-- migrate:${other}\n${marker}\nb;`, direction as 'up')).toMatch(
      /\n(-- no-transaction)? *\nb;$/,
    );
  });

  test.each(['-- +goose NO TRANSACTION', '-- +goose no transaction', '--+goose NO  TRANSACTION'])(
    '%s is for both sections',
    async (line) => {
      const file = `${line}\n-- +goose Up\na;\n-- +goose Down\nb;`;
      expect(found(line)).toEqual([]);
      expect(found(file)).toEqual(['down', 'up']);
      for (const which of ['up', 'down'] as const)
        expect(await section(file, which)).toMatch(/^-- no-transaction *\n/);
      expect((await section(`-- +goose Up\na;\n${line}\n-- +goose Down\nb;`, 'down')).trim()).toMatch(
        /^-- no-transaction\s+b;$/,
      );
    },
  );

  test.each([
    'SELECT 1; -- migrate:down',
    "'-- migrate:down'",
    '-- migrate:downwards',
    '-- migrate: down',
    '-- migrations go down',
    '-- the down migration',
    '/* migrate:down */',
    '# migrate:down',
    '-- no-transaction',
    `-- ${'x'.repeat(300)} migrate:down`,
    `--${' '.repeat(300)}migrate:down`,
  ])('is not %s', async (line) => {
    expect(found(`a;\n${line}\nb;`)).toEqual([]);
    expect(await section(`a;\n${line}\nb;`, 'up')).toBe(`a;\n${line}\nb;`);
  });
});

describe('a section', () => {
  const file =
    '-- made by hand\n-- migrate:up\nCREATE TABLE a (b text);\r\nSELECT 1;\n-- migrate:down\nDROP TABLE a; -- 😀\n';

  test('is what stands below its marker; what is above the first marker belongs to up', async () => {
    expect((await section(file, 'up')).trim()).toBe(
      '-- made by hand\n             \nCREATE TABLE a (b text);\r\nSELECT 1;',
    );
    expect((await section(file, 'down')).trim()).toBe('DROP TABLE a; -- 😀');
  });

  test('keeps every line end and every offset of the file', async () => {
    for (const which of ['up', 'down'] as const) {
      const text = await section(file, which);
      expect(text).toHaveLength(file.length);
      expect(text.replaceAll(/[^\r\n]/g, '.')).toBe(file.replaceAll(/[^\r\n]/g, '.'));
    }
    expect((await section(file, 'down')).indexOf('DROP')).toBe(file.indexOf('DROP'));
  });

  test.each([
    ['-- migrate:up transaction:false', 'up'],
    ['-- migrate:down transaction:false', 'down'],
    ['--migrate:up transaction: false', 'up'],
    ['-- +migrate Up notransaction', 'up'],
  ])('%s becomes the directive, at the same length', async (marker, which) => {
    const text = await section(`${marker}\nVACUUM;`, which as 'up');
    expect(text).toBe(`${'-- no-transaction'.padEnd(marker.length)}\nVACUUM;`);
  });

  test('may come in any order, and more than once', async () => {
    const text = '-- migrate:down\na;\n-- migrate:up\nb;\n-- migrate:down\nc;';
    expect((await section(text, 'down')).replaceAll(/\s+/g, '')).toBe('a;c;');
    expect((await section(text, 'up')).replaceAll(/\s+/g, '')).toBe('b;');
  });

  test('is all of a file that has no marker', async () => {
    expect(await section('a;\nb', 'up')).toBe('a;\nb');
    expect((await section('a;\nb', 'down')).trim()).toBe('');
  });
});

describe('however a text is cut into pieces', () => {
  const word = fc.constantFrom(
    '-- migrate:up',
    '-- migrate:down',
    '-- migrate:up transaction:false',
    '-- Down Migration',
    '--',
    '-- x',
    'SELECT 1;',
    'é😀',
    'x'.repeat(260),
    ' ',
    '\n',
    '\r\n',
    '\r',
    '\n',
    '\n',
  );
  const text = fc.array(word, { maxLength: 30 }).map((words) => words.join(''));

  test('its sections are the same', async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 40 }), async (whole, size) => {
        for (const which of ['up', 'down'] as const)
          expect(await section(cut(whole, size), which)).toBe(await section(whole, which));
      }),
    );
  });

  test('the same are found', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 3, max: 400 }), (whole, size) => {
        expect(found(whole, size)).toEqual(found(whole));
      }),
    );
  });

  test('what is found is what is read', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (whole) => {
        const isSplit = (await section(whole, 'up')) !== whole;
        expect(isSplit).toBe(found(whole).length > 0);
      }),
    );
  });
});
