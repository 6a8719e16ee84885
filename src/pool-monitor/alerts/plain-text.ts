const CREDENTIALS = /\b([a-z][a-z\d+.-]*:\/\/)[^\s/@]+@/gi;
// Everything below the space but the line break, and what changes the direction of a line or hides in it.
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/g;

/**
 * A text of the application for a message: without what cannot be seen, without the credentials of an address, and not
 * longer than `limit` characters.
 */
export function plainText(text: string, limit: number): string {
  return shorten(text.replace(UNSEEN, ' ').replace(CREDENTIALS, '$1…@').trim(), limit);
}

/** At most `limit` characters, the last of them `…` where something was left out. Never half a surrogate pair. */
export function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = /[\ud800-\udbff]$/.test(text.slice(0, limit - 1)) ? limit - 2 : limit - 1;
  return `${text.slice(0, end)}…`;
}
