import { CopyData } from './copy-data.js';
import { PostgresEnclosure } from './postgres-enclosure.js';
import { copiesFromScript } from './postgres-words.js';
import { PostgresRoutine } from './postgres-routine.js';
import { copyWithoutData, metaCommand, textAfterCopy, unfinished } from './postgres-script-errors.js';
import {
  endOfLine,
  endOfSpace,
  endOfWord,
  isEscapeQuote,
  isSpace,
  isIdentifierStart,
  nextStop,
  nextStopOrWord,
  readDollar,
  startOfWord,
} from './postgres-tokens.js';
import { ScriptReader } from './script-reader.js';
import type { ScriptItem, ScriptPart, ScriptText, SplitScript } from './statement.js';

const DOUBLE_QUOTE = 0x22;
const DOLLAR = 0x24;
const SINGLE_QUOTE = 0x27;
const OPEN = 0x28;
const CLOSE = 0x29;
const STAR = 0x2a;
const DASH = 0x2d;
const SLASH = 0x2f;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;
const LETTER_C = 0x63;

/**
 * Splits a script of PostgreSQL where psql would, and where psql errs as the server's own grammar would: an `E'…'` that
 * goes on in the next line keeps its backslashes, and a column called `end` does not end a `BEGIN ATOMIC` body.
 * `standard_conforming_strings` is taken to be on. See {@link SplitScript}.
 *
 * Commands of psql (`\i`, `\gexec` …) are refused, all but `\restrict` and `\unrestrict`, which pg_dump writes since
 * 17.6: they only forbid psql the commands that are refused here anyway, and are skipped. A comment that begins with
 * `/*+` belongs to the statement after it: pg_hint_plan reads it there.
 *
 * @example
 * ```ts
 * for await (const items of splitPostgres(['SELECT 1; SEL', 'ECT 2'])) console.log(items.map(({ text }) => text));
 * ```
 */
export const splitPostgres: SplitScript = async function* (script: ScriptText) {
  const reader = new ScriptReader(script);
  const scanner = new PostgresScanner(reader);
  try {
    for (let goesOn = await reader.more(); goesOn;) {
      const { items, data } = scanner.scan();
      if (items.length > 0) yield items;
      // Behind data there may be more in the reader already.
      if (data === undefined) goesOn = await reader.more();
      else await data.skip();
    }
  } finally {
    await reader.stop();
  }
};

type Mode = 'between' | 'note' | 'statement' | 'line of copy';

interface Scanned {
  readonly items: readonly ScriptItem[];
  /** The data of the last item, which has to be read before scanning goes on. */
  readonly data: CopyData | undefined;
}

/** Scans what the reader has, and stops where more has to be seen. */
class PostgresScanner {
  readonly #reader: ScriptReader;
  readonly #enclosure: PostgresEnclosure;
  #items: ScriptItem[] = [];
  #index = 0;
  #mode: Mode = 'between';

  /** Whether the first word of the statement is still to come. */
  #awaitsWord = false;
  #isCopy = false;
  /** While the statement can turn out to have a body, and while it has. */
  #routine: PostgresRoutine | undefined;
  #parentheses = 0;
  #copy: ScriptPart | undefined;
  #data: CopyData | undefined;

  constructor(reader: ScriptReader) {
    this.#reader = reader;
    this.#enclosure = new PostgresEnclosure(reader);
  }

  scan(): Scanned {
    this.#items = [];
    this.#data = undefined;
    while (this.#step());
    if (this.#reader.ended && this.#data === undefined) this.#endOfScript();
    return { items: this.#items, data: this.#data };
  }

  /** Returns whether it could be taken: false where more of the script has to be seen, or data comes. */
  #step(): boolean {
    if (!this.#enclosure.skip()) return false;
    switch (this.#mode) {
      case 'between':
        return this.#between();
      case 'note':
        return this.#note();
      case 'statement':
        return this.#statement();
      case 'line of copy':
        return this.#lineOfCopy();
    }
  }

  /** Leaves the reader at `at` until there is more. */
  #wait(at: number): false {
    this.#reader.at = at;
    return false;
  }

  #enter(mode: Mode, at: number): true {
    this.#reader.at = at;
    this.#mode = mode;
    return true;
  }

  #between(): boolean {
    const reader = this.#reader;
    const { text } = reader;
    const at = endOfSpace(text, reader.at);
    if (at === text.length) return this.#wait(at);
    const isKnown = at + 2 < text.length || reader.ended;
    switch (text.charCodeAt(at)) {
      case SEMICOLON:
        return this.#enter('between', at + 1);
      case BACKSLASH:
        return this.#metaCommand(at);
      case DASH:
        if (!isKnown) return this.#wait(at);
        if (text.charCodeAt(at + 1) !== DASH) break;
        reader.begin(at + 2);
        return this.#enter('note', at + 2);
      case SLASH:
        if (!isKnown) return this.#wait(at);
        if (text.charCodeAt(at + 1) !== STAR || text.startsWith(HINT, at)) break;
        return this.#enclosure.enter('comment', at);
      default:
    }
    reader.begin(at);
    this.#awaitsWord = true;
    return this.#enter('statement', at);
  }

  #note(): boolean {
    const reader = this.#reader;
    const end = endOfLine(reader.text, reader.at);
    if (end < 0 && !reader.ended) return this.#wait(reader.text.length);
    const at = end < 0 ? reader.text.length : end;
    this.#items.push({ kind: 'comment', ...reader.end(at) });
    return this.#enter('between', at);
  }

  #statement(): boolean {
    const reader = this.#reader;
    const { text } = reader;
    let { at } = reader;
    /** Where the last quote or comment ended. */
    let floor = at;
    for (;;) {
      if (this.#awaitsWord) {
        const end = this.#firstWord(at);
        if (end === undefined) return false;
        at = end;
      }
      const routine = this.#routine;
      const next = routine === undefined ? nextStop(text, at) : nextStopOrWord(text, at);
      if (routine !== undefined && endOfSpace(text, at) < next) routine.other();
      if (next === text.length) return this.#wait(reader.ended ? next : startOfWord(text, next, floor));
      const unit = text.charCodeAt(next);
      switch (unit) {
        case SEMICOLON:
          at = next + 1;
          if (this.#parentheses > 0) break;
          if (routine === undefined || !routine.inBody) return this.#finish(next);
          routine.semicolon();
          break;
        case OPEN:
          routine?.other();
          this.#parentheses++;
          reader.opens(next);
          at = next + 1;
          break;
        case CLOSE:
          if (this.#parentheses > 0) {
            this.#parentheses--;
            reader.closes();
          }
          at = next + 1;
          break;
        case SINGLE_QUOTE:
          routine?.other();
          if (!this.#enclosure.enter(isEscapeQuote(text, next, floor) ? 'escapes' : 'string', next))
            return false;
          at = floor = reader.at;
          break;
        case DOUBLE_QUOTE:
          routine?.other();
          if (!this.#enclosure.enter('identifier', next)) return false;
          at = floor = reader.at;
          break;
        case DOLLAR: {
          routine?.other();
          const dollar = readDollar(text, next, { floor, ended: reader.ended });
          if (dollar === 'unknown') return this.#wait(startOfWord(text, next, floor));
          if (dollar === 'part') {
            at = next + 1;
            break;
          }
          if (!this.#enclosure.enterDollar(dollar.tag, next)) return false;
          at = floor = reader.at;
          break;
        }
        case BACKSLASH:
          return this.#metaCommand(next);
        case DASH:
          if (next + 1 === text.length && !reader.ended) return this.#wait(next);
          if (text.charCodeAt(next + 1) !== DASH) {
            at = this.#operator(next);
            break;
          }
          if (!this.#enclosure.enter('line comment', next)) return false;
          at = floor = reader.at;
          break;
        case SLASH:
          if (next + 1 === text.length && !reader.ended) return this.#wait(next);
          if (text.charCodeAt(next + 1) !== STAR) {
            at = this.#operator(next);
            break;
          }
          if (!this.#enclosure.enter('comment', next)) return false;
          at = floor = reader.at;
          break;
        default: {
          const end = endOfWord(text, next);
          if (end === text.length && !reader.ended) return this.#wait(next);
          if (this.#parentheses === 0) this.#word(next, end);
          at = end;
        }
      }
    }
  }

  /** Looks for the word that the statement begins with; returns where to go on, or undefined where it may go on itself. */
  #firstWord(from: number): number | undefined {
    const { text, ended } = this.#reader;
    const at = endOfSpace(text, from);
    if (at === text.length) return at;
    const unit = text.charCodeAt(at);
    // Each may begin a comment, and a semicolon alone is no statement.
    if (unit === SLASH || unit === DASH || unit === SEMICOLON) return at;
    const end = endOfWord(text, at);
    if (end === text.length && !ended) {
      this.#wait(at);
      return undefined;
    }
    this.#awaitsWord = false;
    const word = (unit | 0x20) === LETTER_C ? text.slice(at, end).toUpperCase() : '';
    if (word === 'CREATE') this.#routine = new PostgresRoutine();
    this.#isCopy = word === 'COPY';
    return isIdentifierStart(unit) ? end : at;
  }

  #word(from: number, to: number): void {
    const routine = this.#routine!;
    const edge = routine.word(this.#reader.text.slice(from, to));
    if (edge === 'begins') this.#reader.opens(from);
    else if (edge === 'ends') this.#reader.closes();
    if (routine.isDecided) this.#routine = undefined;
  }

  #operator(at: number): number {
    this.#awaitsWord = false;
    this.#routine?.other();
    return at + 1;
  }

  #finish(end: number): true {
    const reader = this.#reader;
    const isEmpty = this.#awaitsWord;
    this.#awaitsWord = false;
    this.#routine = undefined;
    if (isEmpty) {
      reader.cancel();
      return this.#enter('between', end + 1);
    }
    const part = withoutSpaceBehind(reader.end(end));
    if (this.#isCopy && copiesFromScript(part.text)) {
      this.#copy = part;
      return this.#enter('line of copy', end + 1);
    }
    this.#items.push({ kind: 'statement', ...part, index: ++this.#index });
    return this.#enter('between', end + 1);
  }

  #lineOfCopy(): boolean {
    const reader = this.#reader;
    const { text, ended } = reader;
    const end = endOfLine(text, reader.at);
    if (!ended && (end < 0 || end + 1 === text.length)) return this.#wait(reader.at);
    const behind = endOfSpace(text, reader.at);
    if (end >= 0 && behind < end && !text.startsWith('--', behind))
      throw textAfterCopy(reader.positionAt(behind));
    const copy = this.#copy!;
    if (end < 0) throw copyWithoutData(copy.start);
    this.#enter('between', end + (text.startsWith('\r\n', end) ? 2 : 1));
    this.#copy = undefined;
    this.#data = new CopyData(reader, copy.start);
    this.#items.push({ kind: 'copy', ...copy, index: ++this.#index, data: this.#data });
    return false;
  }

  #metaCommand(at: number): boolean {
    const reader = this.#reader;
    const end = endOfLine(reader.text, at);
    if (end < 0 && !reader.ended) return this.#wait(at);
    const line = reader.text.slice(at + 1, end < 0 ? reader.text.length : end);
    const command = /^[^\s\\]*/.exec(line)![0];
    if (this.#mode !== 'between' || !/^(?:un)?restrict$/.test(command))
      throw metaCommand(command, reader.positionAt(at));
    return this.#enter('between', at + 1 + line.length);
  }

  #endOfScript(): void {
    const reader = this.#reader;
    this.#enclosure.assertEnded();
    if (this.#mode === 'statement') {
      if (this.#parentheses > 0) throw unfinished('parenthesis', reader.innermostOpen!);
      if (this.#routine?.inBody === true) throw unfinished('body', reader.innermostOpen!);
      this.#finish(reader.text.length);
      reader.at = reader.text.length;
    }
    if (this.#copy !== undefined) throw copyWithoutData(this.#copy.start);
  }
}

const HINT = '/*+';

function withoutSpaceBehind(part: ScriptPart): ScriptPart {
  const { text } = part;
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  return end === text.length ? part : { ...part, text: text.slice(0, end) };
}
