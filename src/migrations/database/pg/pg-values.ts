import { InvalidOptionsError } from '../../../core/index.js';

/**
 * How values of our own queries are read. An application may have changed `pg.types` for the whole process, and what is
 * read here must not depend on it: integers are numbers where a number holds them, times are dates, all else is text.
 */
const READERS: ReadonlyMap<number, (value: string) => unknown> = new Map<number, (value: string) => unknown>([
  [16, (value) => value === 't'], // bool
  [20, readInteger], // int8
  [21, Number], // int2
  [23, Number], // int4
  [26, Number], // oid
  [700, Number], // float4
  [701, Number], // float8
  [1114, readTimestamp], // timestamp
  [1184, readTimestamp], // timestamptz
]);

export const pgValues = {
  getTypeParser: (oid: number): ((value: string) => unknown) => READERS.get(oid) ?? ((value) => value),
};

/**
 * Puts values into a statement of ours, in place of its `$1`: several statements travel as one text, which takes no
 * parameters.
 */
export function withPgValues(text: string, values: readonly unknown[]): string {
  if (values.length === 0) return text;
  return text.replaceAll(/\$(\d+)/g, (_, number: string) => literal(values[Number(number) - 1]));
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  // `- -1` would begin a comment without its space.
  if (typeof value === 'number' || typeof value === 'bigint') return value < 0 ? `(${value})` : String(value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'string')
    throw new InvalidOptionsError(`A deferred query cannot take a value of type ${typeof value}.`);
  const quoted = `'${value.replaceAll("'", "''")}'`;
  // Whatever standard_conforming_strings is set to.
  return quoted.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

function readInteger(value: string): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** `2026-11-27 20:20:57.5+00`, `+05:30`; one without a zone is in that of this process, as `pg` reads it. */
function readTimestamp(value: string): Date {
  return new Date(value.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
}
