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

function readInteger(value: string): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** `2026-11-27 20:20:57.5+00`, `+05:30`; one without a zone is in that of this process, as `pg` reads it. */
function readTimestamp(value: string): Date {
  return new Date(value.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
}
