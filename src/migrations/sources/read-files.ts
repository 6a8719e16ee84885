import { readFileSync } from 'node:fs';
import { messageOf } from '../../core/index.js';
import { Digester, digestOf, type FileDigest } from './digest.js';
import type { ForeignTool } from '../migration.js';
import type { FoundFile } from './find-files.js';
import { toolOfDown } from './foreign-code.js';
import { forEachChunk, readWhole } from './read-chunks.js';
import { type Section, SectionFinder, sectionsOf } from './sections.js';

export interface ReadFile extends FoundFile {
  readonly digest: FileDigest;
  /** The directions that it says it holds; none for a file that is one direction. */
  readonly sections: ReadonlySet<Section>;
  /** Of SQL: its bytes, where it is small. */
  readonly bytes?: Buffer;
  /** Of code: whom its `down` is written for, where that is not holdfast. */
  readonly downFor?: ForeignTool | undefined;
}

/** What was read of a file. */
type Content = Omit<ReadFile, keyof FoundFile>;

/** A larger file of SQL is read in pieces: memory does not grow with it. */
const LARGEST_WHOLE_BYTES = 256 * 1024;

/** What is kept of all of them. */
const MOST_KEPT_BYTES = 16 * 1024 * 1024;

/** Reads each file once, the beginning of a large one twice. Problems are sentences. */
export async function readFiles(
  files: readonly FoundFile[],
): Promise<{ read: ReadFile[]; problems: string[] }> {
  const read: ReadFile[] = [];
  const problems: string[] = [];
  const buffer = Buffer.allocUnsafe(LARGEST_WHOLE_BYTES + 1);
  let kept = 0;
  for (const file of files) {
    try {
      const content = readSmall(file, buffer) ?? (await readLarge(file, buffer));
      const { bytes, ...rest } = content;
      kept += bytes?.length ?? 0;
      // What is in the buffer goes with the next one.
      read.push({ ...file, ...rest, ...(bytes && kept <= MOST_KEPT_BYTES && { bytes: Buffer.from(bytes) }) });
    } catch (error) {
      problems.push(explainFile(file.path, error));
    }
  }
  return { read, problems };
}

function readSmall({ path, name }: FoundFile, buffer: Buffer): Content | undefined {
  if (name.language === 'code') return readCode(path);
  const bytes = readWhole(path, buffer);
  return bytes && { digest: digestOf(bytes), sections: sectionsOf(bytes), bytes };
}

function readCode(path: string): Content {
  const source = readFileSync(path);
  // Whether the module has a `down` is known once it runs; that its text has not the word is enough to say no.
  const text = source.toString();
  const sections: Section[] = /\bdown\b/.test(text) ? ['up', 'down'] : ['up'];
  return { digest: digestOf(source), sections: new Set(sections), downFor: toolOfDown(text) };
}

async function readLarge({ path }: FoundFile, buffer: Buffer): Promise<Content> {
  const digester = new Digester();
  const finder = new SectionFinder();
  await forEachChunk(path, buffer, (chunk) => {
    digester.update(chunk);
    finder.update(chunk);
  });
  return { digest: digester.finish(), sections: finder.finish() };
}

function explainFile(path: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return `${path} cannot be read: give this process the right to.`;
  return `${path} cannot be read: ${messageOf(error)}.`;
}
