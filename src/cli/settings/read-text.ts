import { invalid } from '../../core/index.js';

/** Reads an option's value from the text of a flag or of an environment variable; `name` is what it was given by. */
export type TextReader = (text: string, name: string) => unknown;

export const text: TextReader = (value, name) => {
  if (value.trim() === '') throw invalid(name, value, 'a non-empty text');
  return value;
};

/** With commas between them. */
export const list: TextReader = (value, name) =>
  text(value, name) &&
  value
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');

export const flag: TextReader = (value, name) => {
  if (['true', '1', 'yes', 'on'].includes(value.toLowerCase())) return true;
  if (['false', '0', 'no', 'off'].includes(value.toLowerCase())) return false;
  throw invalid(name, value, 'true or false');
};

export function oneOf(...allowed: readonly string[]): TextReader {
  return (value, name) => {
    if (!allowed.includes(value)) throw invalid(name, value, `one of ${allowed.join(', ')}`);
    return value;
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/** `500ms`, `30s`, `5m`, `1h`, in milliseconds; `0` needs no unit. */
export const durationMs: TextReader = (value, name) => {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)$/.exec(value.trim()) ?? [];
  if (value.trim() === '0') return 0;
  if (number === undefined || unit === undefined)
    throw invalid(name, value, 'a number with a unit, such as 500ms, 30s, 5m or 1h');
  return Math.round(Number(number) * UNITS[unit]!);
};

/** `name=value`. */
export const assignment: TextReader = (value, name) => {
  const at = value.indexOf('=');
  if (at < 1) throw invalid(name, value, 'name=value');
  return { [value.slice(0, at)]: value.slice(at + 1) };
};
