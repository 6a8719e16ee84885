import { isUtf8 } from 'node:buffer';
import { SqlSyntaxError } from '../errors.js';
import type { MigrationBody } from '../migration.js';
import { SourceCursor } from '../sql/source-cursor.js';
import type { SourcePosition } from '../sql/statement.js';
import { startsWithBom } from './digest.js';
import { contentOf } from './kept-content.js';
import { readChunks } from './read-chunks.js';
import { readSection } from './sections.js';

export interface ReadTextOptions {
  /** All of its bytes, where they are known already. */
  readonly content?: Buffer | undefined;
  /** What the file is called in errors. Default: the path. */
  readonly script?: string | undefined;
  /** Told after each piece how many bytes of the file were read so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

const CHUNK_BYTES = 64 * 1024;

type Chunks = AsyncIterable<Buffer> | Iterable<Buffer>;

/**
 * The text of a UTF-8 file in pieces of about 64 KB, without its BOM. No piece ends inside a character.
 *
 * Throws `SqlSyntaxError` with the line for bytes that are no UTF-8, and for UTF-16; the file system's own error where
 * the file cannot be read.
 */
export async function* readSqlText(
  path: string,
  { script = path, content, onBytes }: ReadTextOptions = {},
): AsyncGenerator<string, void, undefined> {
  let bytes = 0;
  let cut = Buffer.alloc(0);
  const read = (): Chunks =>
    content ? piecesOf(content) : readChunks(path, Buffer.allocUnsafe(CHUNK_BYTES));
  for await (const chunk of read()) {
    const isFirst = bytes === 0;
    if (isFirst) refuseUtf16(chunk, script);
    const text = Buffer.concat([cut, isFirst && startsWithBom(chunk) ? chunk.subarray(3) : chunk]);
    const end = text.length - lengthOfCutCharacter(text);
    if (!isUtf8(text.subarray(0, end))) throw await invalidUtf8(read(), script);
    bytes += chunk.length;
    if (end > 0) yield text.toString('utf8', 0, end);
    onBytes?.(bytes);
    cut = text.subarray(end);
  }
  if (cut.length > 0) throw await invalidUtf8(read(), script);
}

function* piecesOf(content: Buffer): Generator<Buffer, void, undefined> {
  for (let at = 0; at < content.length; at += CHUNK_BYTES) yield content.subarray(at, at + CHUNK_BYTES);
}

/** The text of a migration's SQL file: of one direction alone, where the file holds both. Throws as {@link readSqlText}. */
export function readSqlBody(
  body: Extract<MigrationBody, { kind: 'sql' }>,
  options: ReadTextOptions = {},
): AsyncIterable<string> {
  const text = readSqlText(body.path, { ...options, content: contentOf(body) });
  return body.section === undefined ? text : readSection(text, body.section);
}

/** How many bytes at the end are the beginning of a character of which the rest is missing: 0 to 3. */
function lengthOfCutCharacter(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

function refuseUtf16([first, second]: Uint8Array, script: string): void {
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  // ASCII in UTF-16 without a mark has a zero in every other byte.
  if (!isMarked && !(first === 0 && second !== undefined) && second !== 0) return;
  throw new SqlSyntaxError(`${script} is UTF-16. Save it as UTF-8.`, {
    script,
    position: { line: 1, column: 1, offset: 0 },
  });
}

/** Reads again up to the place: nobody pays for counting lines as long as all is well. */
async function invalidUtf8(chunks: Chunks, script: string): Promise<SqlSyntaxError> {
  const { position, byte } = await firstInvalidByte(chunks);
  const hex = byte.toString(16).padStart(2, '0').toUpperCase();
  return new SqlSyntaxError(
    `${script}, line ${position.line}, column ${position.column}: the byte 0x${hex} is not UTF-8 here. ` +
      'The file is in another encoding, or was cut off: save it as UTF-8. A dump of mysqldump or mariadb-dump with binary values is made with --hex-blob.',
    { script, position },
  );
}

async function firstInvalidByte(chunks: Chunks): Promise<{ position: SourcePosition; byte: number }> {
  const cursor = new SourceCursor();
  let cut = Buffer.alloc(0);
  let isFirst = true;
  for await (const chunk of chunks) {
    const text = Buffer.concat([cut, isFirst && startsWithBom(chunk) ? chunk.subarray(3) : chunk]);
    isFirst = false;
    const end = text.length - lengthOfCutCharacter(text);
    const valid = validLength(text.subarray(0, end));
    cursor.move(text.toString('utf8', 0, valid));
    if (valid < end) return { position: cursor.position, byte: text[valid]! };
    cut = text.subarray(end);
  }
  return { position: cursor.position, byte: cut[0] ?? 0 };
}

/** The length of the longest beginning that is UTF-8. */
function validLength(bytes: Buffer): number {
  if (isUtf8(bytes)) return bytes.length;
  let at = 0;
  for (;;) {
    const length = [1, 2, 3, 4].find(
      (count) => at + count <= bytes.length && isUtf8(bytes.subarray(at, at + count)),
    );
    if (length === undefined) return at;
    at += length;
  }
}
