import { InvalidOptionsError } from '../../../core/index.js';
import { NO_BACKSLASH_ESCAPES } from './mysql-wire.js';

/**
 * Puts values into a statement of ours, in place of its `?`. Not left to the drivers: mysql2 writes `\'` even where the
 * session's sql_mode says that a backslash escapes nothing.
 */
export function withValues(text: string, values: readonly unknown[], status: number): string {
  const [first = '', ...rest] = text.split('?');
  if (rest.length !== values.length)
    throw new InvalidOptionsError(`A query has ${rest.length} placeholders and ${values.length} values.`);
  const escapes = (status & NO_BACKSLASH_ESCAPES) === 0;
  return rest.reduce((sql, part, index) => sql + literal(values[index], escapes) + part, first);
}

function literal(value: unknown, backslashEscapes: boolean): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value !== 'string' && !(value instanceof Date))
    throw new InvalidOptionsError(`A query cannot take a value of type ${typeof value}.`);
  const text = typeof value === 'string' ? value : dateText(value);
  const doubled = text.replaceAll("'", "''");
  return `'${backslashEscapes ? doubled.replaceAll('\\', '\\\\') : doubled}'`;
}

/** In the time zone of this process, as both drivers write dates. */
function dateText(date: Date): string {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 23).replace('T', ' ');
}

/** The part of both drivers' fields that is read. */
export interface CastField {
  readonly type: string;
  string(): string | null;
}

const INTEGERS: ReadonlySet<string> = new Set(
  'TINY SHORT LONG LONGLONG INT24 YEAR TINYINT SMALLINT INT INTEGER BIGINT MEDIUMINT'.split(' '),
);
const FLOATS: ReadonlySet<string> = new Set(['FLOAT', 'DOUBLE']);
const TIMES: ReadonlySet<string> = new Set(['DATETIME', 'DATETIME2', 'TIMESTAMP', 'TIMESTAMP2']);

/** How values are read, the same with both drivers and whatever a pool's options say: as `pgValues` reads them. */
export function castValue(field: CastField): unknown {
  const text = field.string();
  if (text === null) return null;
  if (FLOATS.has(field.type)) return Number(text);
  if (INTEGERS.has(field.type)) return Number.isSafeInteger(Number(text)) ? Number(text) : text;
  return TIMES.has(field.type) ? new Date(text.replace(' ', 'T')) : text;
}
