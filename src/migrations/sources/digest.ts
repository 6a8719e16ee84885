import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ResolvedMigration } from '../migration.js';

export type FileDigest = Pick<ResolvedMigration, 'checksum' | 'sha256' | 'sha256OfLineEnds'>;

/** The checksums of a file of which all bytes are there: the same as of a {@link Digester}, without its streams. */
export function digestOf(bytes: Buffer): FileDigest {
  // As text: the engine searches in one piece, where a loop over the bytes takes twice the time.
  const text = bytes.toString('latin1');
  const sha256 = hash('sha256', bytes);
  const lf = text.includes('\r') ? text.replaceAll('\r\n', '\n') : text;
  return {
    checksum: crcOfLines(startsWithBom(bytes) ? text.slice(3) : text, 0) | 0,
    sha256,
    // Of its two forms, as git may check it out.
    sha256OfLineEnds: [
      lf === text ? sha256 : sha256OfLatin1(lf),
      sha256OfLatin1(lf.replaceAll('\n', '\r\n')),
    ],
  };
}

/** Computes both checksums of a file while it is read. */
export class Digester {
  readonly #sha256 = createHash('sha256');
  #crc = 0;
  #atStart = true;

  /** The first chunk holds at least three bytes, where the file has as many: a BOM is one piece. */
  update(chunk: Buffer): void {
    this.#sha256.update(chunk);
    const from = this.#atStart && startsWithBom(chunk) ? 3 : 0;
    if (chunk.length > 0) this.#atStart = false;
    this.#crc = crcOfLines(chunk.toString('latin1', from), this.#crc);
  }

  finish(): FileDigest {
    return { checksum: this.#crc | 0, sha256: this.#sha256.digest('hex') };
  }
}

/**
 * Flyway feeds each line to a CRC32 without its terminator (`ChecksumCalculator.java`), with UTF-8 that is the CRC32 of
 * the bytes that are neither line feed nor carriage return. Unsigned: `| 0` makes Java's `(int)` of it.
 */
function crcOfLines(latin1: string, before: number): number {
  const kept = (latin1.includes('\r') ? latin1.replaceAll('\r', '') : latin1).replaceAll('\n', '');
  return crc32(Buffer.from(kept, 'latin1'), before);
}

const sha256OfLatin1 = (text: string) => hash('sha256', Buffer.from(text, 'latin1'));

/** Whether bytes begin with the UTF-8 form of U+FEFF. */
export function startsWithBom(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
