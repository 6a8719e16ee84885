/** Wide: two columns of a terminal. East Asian Wide and Fullwidth (UAX #11) and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /^[\p{M}\p{Cf}]+$/u;
const PLAIN = /^[\x20-\x7e]*$/;
// eslint-disable-next-line no-control-regex
const COLOUR = /\x1b\[[\d;]*m/g;
const CONTROL = /\p{Cc}/gu;

let segmenter: Intl.Segmenter | undefined;

/** How many columns of a terminal the text takes. Colours take none. */
export function displayWidth(text: string): number {
  const bare = text.includes('\x1b') ? text.replace(COLOUR, '') : text;
  if (PLAIN.test(bare)) return bare.length;
  return graphemesOf(bare).reduce((width, grapheme) => width + widthOf(grapheme), 0);
}

/** Cuts what does not fit into so many columns, with a `…` at the end. Takes text without colours. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let result = '';
  let used = 0;
  for (const grapheme of graphemesOf(text)) {
    used += widthOf(grapheme);
    if (used > width - 1) break;
    result += grapheme;
  }
  return width > 0 ? `${result}…` : '';
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** Control characters made visible: a file's name or a server's message must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) =>
    character === '\n' || character === '\t'
      ? character
      : `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`,
  );
}

/** `12 ms`, `3.4 s`, `2 min 05 s`, `1 h 02 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

/** `1 migration`, `2 migrations`. */
export function count(number: number, noun: string): string {
  // By hand: the first call of toLocaleString() loads the tables of all languages.
  const digits = String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
  return `${digits} ${noun}${number === 1 ? '' : 's'}`;
}

/** `2026-01-31 12:00:00`, in UTC, as the history keeps it. */
export function timestamp(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
}

function graphemesOf(text: string): string[] {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

function widthOf(grapheme: string): number {
  if (NO_WIDTH.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}
