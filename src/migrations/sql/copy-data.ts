import { copyWithoutEnd } from './postgres-script-errors.js';
import type { ScriptReader } from './script-reader.js';
import type { SourcePosition } from './statement.js';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const END = '\\.';

/** The data behind `COPY … FROM stdin;` in a script, up to the line that holds `\.` alone. It is read once. */
export class CopyData implements AsyncIterable<string> {
  readonly #reader: ScriptReader;
  readonly #copy: SourcePosition;
  #atLineStart = true;
  #ended = false;

  /**
   * @param reader at the first line of the data
   * @param copy where the statement begins, for messages
   */
  constructor(reader: ScriptReader, copy: SourcePosition) {
    this.#reader = reader;
    this.#copy = copy;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) yield chunk;
  }

  /** Reads on to the end of the data. */
  async skip(): Promise<void> {
    while ((await this.#next()) !== undefined);
  }

  async #next(): Promise<string | undefined> {
    const reader = this.#reader;
    while (!this.#ended) {
      const from = reader.at;
      this.#scan();
      if (reader.at > from) {
        const chunk = reader.text.slice(from, reader.at);
        if (this.#ended) reader.at += END.length;
        return chunk;
      }
      if (this.#ended) reader.at += END.length;
      else if (!(await reader.more())) throw copyWithoutEnd(this.#copy);
    }
    return undefined;
  }

  /** Moves the reader over data: to the end of it, or to what may be its beginning. */
  #scan(): void {
    const reader = this.#reader;
    const { text, at: from } = reader;
    for (let at = text.indexOf('\\', from); at >= 0; at = text.indexOf('\\', at + 1)) {
      if (!this.#beginsLine(at, from)) continue;
      const after = at + END.length;
      const isKnown = after < text.length || reader.ended;
      if (isKnown ? text.startsWith(END, at) && endsLine(text, after) : couldBeEnd(text, at)) {
        reader.at = at;
        this.#ended = isKnown;
        if (at > from) this.#atLineStart = true;
        return;
      }
    }
    reader.at = text.length;
    if (text.length > from) this.#atLineStart = isLineEnd(text.charCodeAt(text.length - 1));
  }

  #beginsLine(at: number, from: number): boolean {
    return at === from ? this.#atLineStart : isLineEnd(this.#reader.text.charCodeAt(at - 1));
  }
}

const isLineEnd = (unit: number): boolean => unit === LINE_FEED || unit === CARRIAGE_RETURN;

const endsLine = (line: string, at: number): boolean => at === line.length || isLineEnd(line.charCodeAt(at));

const couldBeEnd = (line: string, at: number): boolean => END.startsWith(line.slice(at));
