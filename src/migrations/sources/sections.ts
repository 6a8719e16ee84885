import type { TextStream } from '../sql/statement.js';
import { startsWithBom } from './digest.js';

/** A direction of a file that holds both. */
export type Section = 'up' | 'down';

/** A longer line begins no section: what is kept of a line that has not ended yet stays small. */
const LONGEST_MARKER = 256;

/**
 * dbmate's `-- migrate:up transaction:false`, node-pg-migrate's `-- Up Migration`, and goose's and sql-migrate's
 * `-- +goose Up`, `-- +migrate Up notransaction`. goose's `-- +goose NO TRANSACTION` begins no section: it is for both.
 */
const MARKER =
  /^--[ \t-]*(?:migrate:(up|down)\b|(up|down)[ \t]+migration\b|\+(?:goose|migrate)[ \t]+(up|down|no[ \t]+transaction)\b).*$/gim;
const WITHOUT_TRANSACTION = /\btransaction:\s*false\b|\bno[ \t]*transaction\b/i;
/** Holds a marker with both ends of its line. */
const SEAM = LONGEST_MARKER + 2;
const LINE_END = Buffer.from('\n');
const DIRECTIVE = '-- no-transaction';

const sectionOf = ([, ...words]: RegExpExecArray): Section | undefined =>
  (['up', 'down'] as const).find((section) => words.some((word) => word?.toLowerCase() === section));

const NO_SECTIONS: ReadonlySet<Section> = new Set();

/** The sections of a file of which all bytes are there. */
export function sectionsOf(bytes: Buffer): ReadonlySet<Section> {
  if (!bytes.includes('--')) return NO_SECTIONS;
  const finder = new SectionFinder();
  finder.update(bytes);
  return finder.finish();
}

/** Finds out, while a file is read, which sections it has. */
export class SectionFinder {
  readonly #found = new Set<Section>();
  /** The end of what was seen: a marker may lie across two chunks. */
  #seam: Buffer | undefined;

  /** The first chunk holds the whole BOM, where there is one. */
  update(chunk: Buffer): void {
    const bytes = this.#seam === undefined && startsWithBom(chunk) ? chunk.subarray(3) : chunk;
    const seam = Buffer.concat([this.#seam ?? LINE_END, bytes.subarray(0, SEAM)]);
    this.#search(seam);
    this.#search(bytes);
    this.#seam = Buffer.from((bytes.length < SEAM ? seam : bytes).subarray(-SEAM));
  }

  finish(): ReadonlySet<Section> {
    this.#search(Buffer.concat([this.#seam ?? LINE_END, LINE_END]));
    return this.#found;
  }

  #search(bytes: Buffer): void {
    for (const lineStart of ['\n--', '\r--']) {
      for (let at = bytes.indexOf(lineStart); at >= 0; at = bytes.indexOf(lineStart, at + 1)) {
        const text = bytes.toString('latin1', at + 1, at + 1 + LONGEST_MARKER + 1);
        const end = text.search(/[\r\n]/);
        // Without an end it is too long, or goes on in the next chunk.
        if (end < 0) continue;
        for (const marker of text.slice(0, end).matchAll(MARKER)) {
          const section = sectionOf(marker);
          if (section !== undefined) this.#found.add(section);
        }
      }
    }
  }
}

/**
 * One direction of a file that holds both. What belongs to the other is turned into spaces, its line ends stay, so that
 * every position is that of the file. Text above the first marker belongs to `up`. A marker that asks for no transaction
 * (`-- migrate:up transaction:false`) becomes the directive `-- no-transaction`.
 */
export async function* readSection(
  text: TextStream,
  section: Section,
): AsyncGenerator<string, void, undefined> {
  const splitter = new SectionSplitter(section);
  for await (const piece of text) {
    const part = splitter.add(piece);
    if (part !== '') yield part;
  }
  const rest = splitter.end();
  if (rest !== '') yield rest;
}

class SectionSplitter {
  readonly #wanted: Section;
  #current: Section = 'up';
  /** The beginning of a line that may become a marker. */
  #held = '';
  /** Whether what comes next goes on with a line of which the beginning was given out. */
  #insideLine = false;

  constructor(wanted: Section) {
    this.#wanted = wanted;
  }

  add(piece: string): string {
    const text = this.#held + piece;
    const lineStart = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1;
    const isComplete = text.length - lineStart > LONGEST_MARKER || (lineStart === 0 && this.#insideLine);
    this.#held = isComplete ? '' : text.slice(lineStart);
    const part = this.#split(isComplete ? text : text.slice(0, lineStart));
    this.#insideLine = isComplete;
    return part;
  }

  end(): string {
    return this.#split(this.#held);
  }

  #split(text: string): string {
    let result = '';
    let from = 0;
    for (const marker of text.matchAll(MARKER)) {
      const [line] = marker;
      if ((marker.index === 0 && this.#insideLine) || line.length > LONGEST_MARKER) continue;
      result += this.#keep(text.slice(from, marker.index));
      const section = sectionOf(marker);
      this.#current = section ?? this.#current;
      const directive = (WITHOUT_TRANSACTION.test(line) ? DIRECTIVE : '').padEnd(line.length);
      result += section === undefined ? directive : this.#keep(directive);
      from = marker.index + line.length;
    }
    return result + this.#keep(text.slice(from));
  }

  #keep(text: string): string {
    return this.#current === this.#wanted ? text : text.replaceAll(/[^\r\n]/g, ' ');
  }
}
