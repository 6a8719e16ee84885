import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { SqlSyntaxError } from '../../../src/migrations/errors';
import { type ReadTextOptions, readSqlBody, readSqlText } from '../../../src/migrations/sources/read-text';
import { directoryOf, removeDirectories } from './in-directory';

afterAll(removeDirectories);

const fileOf = (content: string | Buffer) => path.join(directoryOf({ 'x.sql': content }), 'x.sql');

async function piecesOf(content: string | Buffer, options?: ReadTextOptions): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of readSqlText(fileOf(content), options)) pieces.push(piece);
  return pieces;
}

async function errorOf(content: Buffer): Promise<SqlSyntaxError> {
  const error: unknown = await piecesOf(content, { script: 'V1__x.sql' }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SqlSyntaxError);
  return error as SqlSyntaxError;
}

const CHUNK = 64 * 1024;

describe('the text of a file', () => {
  test.each([
    ['nothing', ''],
    ['a line', 'SELECT 1;\n'],
    ['CRLF and no end', 'a\r\nb\rc'],
    ['all lengths of characters', 'aé表😀'],
    ['a replacement character that is meant', 'a\uFFFDb'],
    ['a BOM inside', 'a\uFEFFb'],
    ['exactly one chunk', 'x'.repeat(CHUNK)],
  ])('is as it is: %s', async (_, text) => {
    expect((await piecesOf(text)).join('')).toBe(text);
  });

  test('comes without its BOM', async () => {
    expect(await piecesOf('\uFEFFSELECT 1')).toEqual(['SELECT 1']);
    expect(await piecesOf('\uFEFF')).toEqual([]);
  });

  test.each([0, 1, 2, 3, 4])(
    'is not cut inside a character that crosses a chunk: %d bytes before',
    async (shift) => {
      for (const character of ['é', '表', '😀']) {
        const text = 'x'.repeat(CHUNK - shift) + character.repeat(3);
        const pieces = await piecesOf(text);
        expect(pieces.join('')).toBe(text);
        for (const piece of pieces) expect(piece).not.toMatch(/\p{Cs}/u);
      }
    },
  );

  test('comes in pieces, and the bytes are told', async () => {
    const bytes: number[] = [];
    const pieces = await piecesOf(`\uFEFF${'é'.repeat(100_000)}`, { onBytes: (count) => bytes.push(count) });
    expect(pieces).toHaveLength(4);
    expect(bytes).toEqual([CHUNK, 2 * CHUNK, 3 * CHUNK, 200_003]);
  });

  test('a file that is not there is the file system’s error', async () => {
    const read = async () => {
      for await (const piece of readSqlText('/nowhere/x.sql')) expect(piece).toBe('never');
    };
    await expect(read()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('of one direction is that of its section', async () => {
    const file = fileOf('-- migrate:up\na;\n-- migrate:down\nb;');
    const read = async (section?: 'up' | 'down') => {
      let text = '';
      for await (const piece of readSqlBody({ kind: 'sql', path: file, ...(section && { section }) }))
        text += piece;
      return text.replaceAll(/\s+/g, ' ').trim();
    };
    expect([await read('up'), await read('down'), await read()]).toEqual([
      'a;',
      'b;',
      '-- migrate:up a; -- migrate:down b;',
    ]);
  });
});

describe('bytes that are no UTF-8', () => {
  test.each<[name: string, bytes: Buffer, line: number, column: number, offset: number, hex: string]>([
    ['Latin-1', Buffer.from("a\nb\nSELECT 'gr\xfc\xdfe'", 'latin1'), 3, 11, 14, '0xFC'],
    ['at the very beginning', Buffer.from([0xff]), 1, 1, 0, '0xFF'],
    [
      'after wide characters and CRLF',
      Buffer.concat([Buffer.from('é\r\n😀表'), Buffer.from([0x80])]),
      2,
      3,
      6,
      '0x80',
    ],
    ['after a BOM', Buffer.concat([Buffer.from('\uFEFFab'), Buffer.from([0xc3, 0x28])]), 1, 3, 2, '0xC3'],
    ['cut off at the end', Buffer.from('a\nb😀').subarray(0, -1), 2, 2, 3, '0xF0'],
    ['an encoded surrogate', Buffer.from([0x61, 0xed, 0xa0, 0x80]), 1, 2, 1, '0xED'],
    [
      'in the second chunk',
      Buffer.concat([Buffer.from('xyz\n'.repeat(CHUNK / 4)), Buffer.from('ab\xff', 'latin1')]),
      CHUNK / 4 + 1,
      3,
      CHUNK + 2,
      '0xFF',
    ],
    [
      'across chunks',
      Buffer.concat([Buffer.from('x'.repeat(CHUNK - 1)), Buffer.from([0xc3, 0x28])]),
      1,
      CHUNK,
      CHUNK - 1,
      '0xC3',
    ],
  ])('are refused with their place: %s', async (_, bytes, line, column, offset, hex) => {
    const error = await errorOf(bytes);
    expect(error.message).toBe(
      `V1__x.sql, line ${line}, column ${column}: the byte ${hex} is not UTF-8 here. The file is in another encoding, or was cut off: save it as UTF-8. A dump of mysqldump or mariadb-dump with binary values is made with --hex-blob.`,
    );
    expect(error.position).toEqual({ line, column, offset });
  });

  test.each([
    ['with a mark', Buffer.from('\uFEFFSELECT 1', 'utf16le')],
    ['with a mark, big-endian', Buffer.from('\uFEFFSELECT 1', 'utf16le').swap16()],
    ['without a mark', Buffer.from('SELECT 1', 'utf16le')],
    ['without a mark, big-endian', Buffer.from('SELECT 1', 'utf16le').swap16()],
  ])('UTF-16 is called by its name: %s', async (_, bytes) => {
    expect((await errorOf(bytes)).message).toBe('V1__x.sql is UTF-16. Save it as UTF-8.');
  });
});

test('memory does not grow with the file', async () => {
  const file = fileOf('');
  const handle = openSync(file, 'w');
  const block = Buffer.from("INSERT INTO orders VALUES (1, 'größe');\n".repeat(26_000));
  for (let count = 0; count < 60; count++) writeSync(handle, block);
  closeSync(handle);
  let length = 0;
  let highest = 0;
  const before = process.memoryUsage.rss();
  for await (const piece of readSqlText(file)) {
    length += piece.length;
    highest = Math.max(highest, process.memoryUsage.rss());
  }
  expect(length).toBeGreaterThan(60_000_000);
  expect(highest - before).toBeLessThan(40_000_000);
});
