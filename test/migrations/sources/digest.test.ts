import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { Digester, digestOf } from '../../../src/migrations/sources/digest';

function digest(...chunks: (string | Buffer)[]) {
  const digester = new Digester();
  for (const chunk of chunks) digester.update(Buffer.from(chunk));
  return digester.finish();
}

/**
 * Flyway's calculation told again as `ChecksumCalculator.java` has it, line by line, with a CRC32 of its own
 * (bit by bit, polynomial 0xEDB88320).
 */
function asFlyway(text: string): number {
  const lines = text.split(/\r\n|\n|\r/);
  // A reader yields no line after the last terminator.
  if (lines.at(-1) === '') lines.pop();
  let crc = 0xffffffff;
  for (const [index, line] of lines.entries()) {
    const content = index === 0 && line.startsWith('\uFEFF') ? line.slice(1) : line;
    for (const byte of Buffer.from(content, 'utf8')) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
  }
  return ~crc;
}

describe('the CRC32 of the lines, signed', () => {
  test.each([
    ['an empty file', '', 0],
    // The check value of CRC-32/ISO-HDLC is 0xCBF43926, as Java's int -873187034.
    ['the check value', '123456789', -873_187_034],
    ['the check value over lines of \\n', '123\n456\n789\n', -873_187_034],
    ['the check value over lines of \\r\\n', '123\r\n456\r\n789', -873_187_034],
    ['the check value over lines of \\r', '123\r456\r789\r', -873_187_034],
    ['the check value after a BOM', '\uFEFF123456789', -873_187_034],
    ['only line ends', '\n\r\n\r', 0],
    ['only a BOM', '\uFEFF', 0],
    // zlib's crc32("a") = 0xE8B7BE43, crc32("abc") = 0x352441C2.
    ['a', 'a', 0xe8b7be43 | 0],
    ['abc', 'a\nb\nc', 0x352441c2],
  ])('%s', (_, text, checksum) => {
    expect(digest(text).checksum).toBe(checksum);
    expect(digestOf(Buffer.from(text)).checksum).toBe(checksum);
    expect(asFlyway(text)).toBe(checksum);
  });

  test('keeps spaces, other separators and a BOM that is not at the beginning', () => {
    for (const text of [' a ', 'a\u2028b', 'a\vb\fc', 'a\n\uFEFFb', 'a\uFEFF', '\uFEFF\uFEFFa'])
      expect(digest(text).checksum).toBe(asFlyway(text));
    expect(digest('a\uFEFF').checksum).not.toBe(digest('a').checksum);
  });

  test('is Flyway’s for any text, however it is cut into chunks', () => {
    const unit = fc.oneof(
      fc.constantFrom('\n', '\r', '\r\n', '\uFEFF', 'é', '表', '😀', "'", ' '),
      fc.string({ maxLength: 5 }),
    );
    const text = fc.array(unit).map((units) => units.join(''));
    fc.assert(
      fc.property(text, fc.integer({ min: 3, max: 20 }), (whole, size) => {
        const bytes = Buffer.from(whole);
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
          bytes.subarray(index * size, (index + 1) * size),
        );
        const { checksum, sha256 } = digest(...chunks);
        expect(checksum).toBe(asFlyway(whole));
        expect(digestOf(bytes)).toMatchObject({ checksum, sha256 });
      }),
    );
  });
});

test('SHA-256 is that of the bytes as they are, BOM and line ends included', () => {
  const text = '\uFEFFa\r\nb';
  expect(digest('\uFEFF', 'a\r\nb').sha256).toBe(createHash('sha256').update(text).digest('hex'));
  // FIPS 180-2, of nothing.
  expect(digest().sha256).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

test('SHA-256 of a whole file is told of both kinds of line ends as well', () => {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  for (const text of ['é\nb\n', 'é\r\nb\r\n', 'é\nb\r\n'])
    expect(digestOf(Buffer.from(text))).toMatchObject({
      sha256: sha256(text),
      sha256OfLineEnds: [sha256('é\nb\n'), sha256('é\r\nb\r\n')],
    });
});
