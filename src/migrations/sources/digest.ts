import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ResolvedMigration } from '../migration.js';

export type FileDigest = Pick<ResolvedMigration, 'checksum' | 'sha256' | 'sha256OfLineEnds'>;

/**
 * Computes both checksums of a file while it is read.
 *
 * Flyway feeds each line to a CRC32 without its terminator (`ChecksumCalculator.java`), with UTF-8 that is the CRC32 of
 * the bytes that are neither line feed nor carriage return.
 */
export class Digester {
  readonly #sha256 = createHash('sha256');
  #crc = 0;
  #atStart = true;
  /** Of the first chunk; gone once another follows. */
  #ofLineEnds: readonly string[] | undefined;

  /** The first chunk holds at least three bytes, where the file has as many: a BOM is one piece. */
  update(chunk: Buffer): void {
    this.#sha256.update(chunk);
    const from = this.#atStart && startsWithBom(chunk) ? 3 : 0;
    this.#ofLineEnds = this.#atStart ? sha256OfLineEnds(chunk) : undefined;
    if (chunk.length > 0) this.#atStart = false;
    // As text: the engine searches in one piece, where a loop over the bytes takes twice the time.
    const text = chunk.toString('latin1', from);
    const kept = (text.includes('\r') ? text.replaceAll('\r', '') : text).replaceAll('\n', '');
    this.#crc = crc32(Buffer.from(kept, 'latin1'), this.#crc);
  }

  finish(): FileDigest {
    // Java's (int) of the unsigned value.
    return {
      checksum: this.#crc | 0,
      sha256: this.#sha256.digest('hex'),
      ...(this.#ofLineEnds && { sha256OfLineEnds: this.#ofLineEnds }),
    };
  }
}

/** The digests of a file's two forms, as git may check it out. */
function sha256OfLineEnds(bytes: Buffer): readonly string[] {
  const lf = bytes.toString('latin1').replaceAll('\r\n', '\n');
  return [lf, lf.replaceAll('\n', '\r\n')].map((text) =>
    createHash('sha256').update(text, 'latin1').digest('hex'),
  );
}

/** Whether bytes begin with the UTF-8 form of U+FEFF. */
export function startsWithBom(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
