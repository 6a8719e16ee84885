const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** Nobody asks for more in earnest; what waits for longer is stale. */
const LONGEST_ASKED_MS = 3_600_000;

/**
 * How long to wait before the next try, in milliseconds: what the other side asked for, otherwise twice as long each
 * time with jitter over its upper half, so that many processes do not come back at once. `random` is from 0 to 1.
 */
export function backoffMs(tries: number, askedMs: number | undefined, random: number): number {
  if (askedMs !== undefined) return Math.min(askedMs, LONGEST_ASKED_MS) + random * FIRST_MS;
  const step = Math.min(FIRST_MS * 2 ** (tries - 1), LONGEST_MS);
  return step / 2 + (random * step) / 2;
}

/**
 * The header `Retry-After`: seconds, or an HTTP date. Answers milliseconds from `now` (as of `Date.now()`), at least 0;
 * `undefined` for anything else.
 */
export function readRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return /[a-z]/i.test(text) && !Number.isNaN(date) ? Math.max(0, date - now) : undefined;
}
