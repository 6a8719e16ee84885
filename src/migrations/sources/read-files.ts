import { readFileSync } from 'node:fs';
import { messageOf } from '../../core/index.js';
import { Digester, type FileDigest } from './digest.js';
import type { ForeignTool } from '../migration.js';
import type { FoundFile } from './find-files.js';
import { toolOfDown } from './foreign-code.js';
import { forEachChunk } from './read-chunks.js';
import { type Section, SectionFinder } from './sections.js';

export interface ReadFile extends FoundFile {
  readonly digest: FileDigest;
  /** The directions that it says it holds; none for a file that is one direction. */
  readonly sections: ReadonlySet<Section>;
  /** Of code: whom its `down` is written for, where that is not holdfast. */
  readonly downFor?: ForeignTool | undefined;
}

const CHUNK_BYTES = 256 * 1024;

/** Reads each file once. Memory does not grow with their size. Problems are sentences. */
export async function readFiles(
  files: readonly FoundFile[],
): Promise<{ read: ReadFile[]; problems: string[] }> {
  const read: ReadFile[] = [];
  const problems: string[] = [];
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (const file of files) {
    try {
      read.push({ ...file, ...(await readOne(file, buffer)) });
    } catch (error) {
      problems.push(explainFile(file.path, error));
    }
  }
  return { read, problems };
}

async function readOne(
  { path, name }: FoundFile,
  buffer: Buffer,
): Promise<Pick<ReadFile, 'digest' | 'sections' | 'downFor'>> {
  const digester = new Digester();
  if (name.language === 'code') {
    const source = readFileSync(path);
    digester.update(source);
    // Whether the module has a `down` is known once it runs; that its text has not the word is enough to say no.
    const text = source.toString();
    const sections: Section[] = /\bdown\b/.test(text) ? ['up', 'down'] : ['up'];
    return { digest: digester.finish(), sections: new Set(sections), downFor: toolOfDown(text) };
  }
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
