import { SourceCursor } from './source-cursor.js';
import type { ReplacedText, Replacement, ScriptPart, ScriptText, SourcePosition } from './statement.js';

const BYTE_ORDER_MARK = '\uFEFF';

/**
 * The window through which a lexer sees a script. The lexer scans {@link text} from {@link at} on, leaves `at` at the
 * first character that it cannot judge before it has seen more (half a `--`, a word that may go on), and calls
 * {@link more}, which drops what is before `at`, or keeps it where it belongs to a part that was begun. Every index is
 * one of `text`, and valid until the next `more()`.
 *
 * Positions are counted forwards only: the indexes handed to {@link begin}, {@link positionAt} and {@link opens} must
 * not decrease.
 */
export class ScriptReader {
  /** What can be seen of the script now. */
  text = '';
  /** How far it was scanned. */
  at = 0;
  /** Whether `text` ends where the script ends: what stands at the end will not go on. */
  ended = false;

  readonly #pieces: AsyncIterator<string | ReplacedText> | Iterator<string | ReplacedText>;
  readonly #cursor = new SourceCursor();
  /** The index that the cursor is at. Below 0 only where a replacement began in text that was dropped. */
  #counted = 0;
  #atStart = true;

  /** The index where the open part goes on in `text`; -1 where none is open. */
  #partFrom = -1;
  #partStart: SourcePosition | undefined;
  /** What was dropped from `text` of the open part. */
  #partHead = '';

  /** What was opened and not closed: an index, or a position once the text around it is gone. */
  readonly #opened: (number | SourcePosition)[] = [];

  /** By indexes of `text`, in order; those before `text` still belong to the open part. */
  #replacements: Replacement[] = [];
  /** How many of them the cursor has passed. */
  #passed = 0;

  constructor(text: ScriptText) {
    this.#pieces = Symbol.asyncIterator in text ? text[Symbol.asyncIterator]() : text[Symbol.iterator]();
  }

  /**
   * Reads the next piece, which moves `text` so that `at` becomes 0. Resolves to true where there is something new to
   * see, be it only that the script has {@link ended}, and to false when that was known.
   */
  async more(): Promise<boolean> {
    if (this.ended) return false;
    this.#drop();
    for (let grew = false; !grew && !this.ended;) {
      const next = await this.#pieces.next();
      if (next.done === true) this.ended = true;
      else grew = this.#append(next.value);
    }
    this.#cursor.enter(this.text, Math.max(0, this.#counted));
    return true;
  }

  /** Gives up the source. To be called when the script is not read to its end. */
  async stop(): Promise<void> {
    this.ended = true;
    await this.#pieces.return?.();
  }

  /** Begins a part: a statement or a comment. */
  begin(index: number): void {
    this.#partStart = this.positionAt(index);
    this.#partFrom = index;
    this.#partHead = '';
  }

  /** Whether a part was begun and not ended. */
  get inPart(): boolean {
    return this.#partFrom >= 0;
  }

  /** Ends the part before `index`. */
  end(index: number): ScriptPart {
    const start = this.#partStart;
    if (start === undefined) throw new Error('end() without begin()');
    const head = this.#partHead;
    const tail = this.text.slice(this.#partFrom, index);
    const text = head === '' ? tail : head + tail;
    const part =
      this.#replacements.length === 0
        ? { text, start }
        : withReplacements({ text, start }, this.#replacements, index - text.length);
    this.cancel();
    return part;
  }

  /** Forgets the part that was begun. */
  cancel(): void {
    this.#partFrom = -1;
    this.#partStart = undefined;
    this.#partHead = '';
  }

  /** Where in the file the character at `index` is. */
  positionAt(index: number): SourcePosition {
    while (this.#passed < this.#replacements.length) {
      const { from, to, source } = this.#replacements[this.#passed]!;
      if (index < from) break;
      if (this.#counted < from) this.#cursor.moveTo(from);
      this.#counted = from;
      if (index < to) return this.#cursor.position;
      this.#cursor.move(source);
      this.#cursor.enter(this.text, to);
      this.#counted = to;
      this.#passed++;
    }
    this.#cursor.moveTo(index);
    this.#counted = index;
    return this.#cursor.position;
  }

  /** Notes that something begins at `index` that has to end: a quote, a comment, a parenthesis. They nest. */
  opens(index: number): void {
    this.#opened.push(index);
  }

  /** Notes that what was opened last has ended. */
  closes(): void {
    this.#opened.pop();
  }

  /** Where the innermost of what was opened and not closed begins. */
  get innermostOpen(): SourcePosition | undefined {
    this.#settleOpened();
    return this.#opened.at(-1) as SourcePosition | undefined;
  }

  #append(piece: string | ReplacedText): boolean {
    let value = typeof piece === 'string' ? piece : piece.value;
    if (this.#atStart && typeof piece === 'string' && value !== '') {
      this.#atStart = false;
      if (value.startsWith(BYTE_ORDER_MARK)) value = value.slice(1);
    }
    const from = this.text.length;
    // join() makes a flat string; one that + makes is twice as slow to scan, even after it was flattened.
    if (value !== '') this.text = from === 0 ? value : [this.text, value].join('');
    if (typeof piece !== 'string') {
      this.#atStart = false;
      this.#replacements.push({ from, to: this.text.length, source: piece.source });
    }
    return value !== '';
  }

  #drop(): void {
    const dropped = this.at;
    this.#settleOpened();
    this.positionAt(dropped);
    if (this.#partFrom >= 0) {
      this.#partHead += this.text.slice(this.#partFrom, dropped);
      this.#partFrom = 0;
    }
    this.text = this.text.slice(dropped);
    this.at = 0;
    this.#counted -= dropped;
    if (this.#replacements.length > 0) this.#moveReplacements(dropped);
  }

  #moveReplacements(dropped: number): void {
    const needed = -this.#partHead.length;
    const moved = this.#replacements.map(({ from, to, source }) => ({
      from: from - dropped,
      to: to - dropped,
      source,
    }));
    const kept = moved.filter(({ to }, index) => index >= this.#passed || to > needed);
    this.#passed -= moved.length - kept.length;
    this.#replacements = kept;
  }

  /** Turns indexes into positions while the text that they count is there. */
  #settleOpened(): void {
    const { length } = this.#opened;
    let first = length;
    while (first > 0 && typeof this.#opened[first - 1] === 'number') first--;
    for (let index = first; index < length; index++)
      this.#opened[index] = this.positionAt(this.#opened[index] as number);
  }
}

function withReplacements(
  part: { text: string; start: SourcePosition },
  replacements: readonly Replacement[],
  origin: number,
): ScriptPart {
  const { length } = part.text;
  const inside = replacements
    .map(({ from, to, source }) => ({
      from: Math.max(0, from - origin),
      to: Math.min(length, to - origin),
      source,
    }))
    .filter(({ from, to }) => from < length && to >= from && to > 0);
  return inside.length === 0 ? part : { ...part, replacements: inside };
}
