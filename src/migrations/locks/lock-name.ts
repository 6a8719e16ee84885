import type { MigrationSession } from '../database/session.js';
import type { ParsedHistoryOptions } from '../options.js';

/** What the lock of a history is called, as far as its format decides it. */
export interface LockName {
  /** For `pg_try_advisory_lock`. */
  readonly advisoryId: bigint;
  /** For `GET_LOCK`: of at most 64 characters, and its own for each schema, as the server has one set of names for all. */
  readonly named: string;
  /** In the lease table, and for people. */
  readonly lease: string;
  /** The schema of the history, in which the lease table is. */
  readonly schema: string;
}

/**
 * Another tool's own lock where its history is used, so that a run of it beside this one is safe. Flyway adds Java's
 * `hashCode` of the quoted table to "Flyway" in ASCII (PostgreSQLAdvisoryLockTemplate, MySQLNamedLockTemplate); Prisma
 * has one number for all (schema-engine, `acquire_lock`).
 */
export async function lockNameOf(
  session: MigrationSession,
  history: ParsedHistoryOptions,
): Promise<LockName> {
  const schema = history.schema ?? (await currentSchema(session));
  const table = `${session.quote(schema)}.${session.quote(history.table)}`;
  const lease = `${schema}.${history.table}`;
  if (history.format === 'prisma') return { advisoryId: 72707369n, named: 'prisma_migrate', lease, schema };
  const prefix = history.format === 'flyway' ? 'Flyway' : 'Holdfast';
  const hash = javaHashCode(table);
  return {
    advisoryId: asciiNumber(prefix.slice(0, 6)) + BigInt(hash),
    named: `${prefix}-${hash}`,
    lease,
    schema,
  };
}

async function currentSchema(session: MigrationSession): Promise<string> {
  const call = session.dialect === 'postgres' ? 'current_schema()' : 'DATABASE()';
  const [row] = await session.query<{ name: string | null }>(`SELECT ${call} AS name`);
  return row?.name ?? '';
}

/** `s[0] * 31^(n-1) + … + s[n-1]` over UTF-16 code units in signed 32 bits. https://docs.oracle.com/javase/8/docs/api/java/lang/String.html#hashCode-- */
export function javaHashCode(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return hash;
}

/** Its characters as the bytes of a number: `Flyway` -> 0x466C79776179. */
function asciiNumber(text: string): bigint {
  return BigInt(`0x${Buffer.from(text, 'latin1').toString('hex')}`);
}
