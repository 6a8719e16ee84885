import { SqlSyntaxError } from '../errors.js';
import type { ResolvedMigration } from '../migration.js';
import { Digester } from '../sources/digest.js';
import { readSqlBody } from '../sources/read-text.js';
import { replacePlaceholders } from '../sql/placeholders.js';
import type { ValuesFor } from './script-values.js';

/**
 * Repeatable files with the checksum of what they are run as, so that another value of a placeholder makes them run again:
 * Flyway's `SqlMigrationResolver` reads those alone with their placeholders replaced.
 */
export async function withRepeatableChecksums(
  migrations: readonly ResolvedMigration[],
  valuesFor: ValuesFor,
): Promise<readonly ResolvedMigration[]> {
  const result: ResolvedMigration[] = [];
  for (const migration of migrations) {
    const { kind, body, checksum: checksumOfFile } = migration;
    const checksum =
      kind === 'repeatable' && body.kind === 'sql' ? await checksumOf(body, valuesFor(body.path)) : undefined;
    const isOther = checksum !== undefined && checksum !== checksumOfFile;
    result.push(isOther ? { ...migration, checksum, checksumOfFile } : migration);
  }
  return result;
}

type SqlBody = Extract<ResolvedMigration['body'], { kind: 'sql' }>;

/** Undefined for a file without any placeholder that has a value, and for one that cannot be run. */
async function checksumOf(
  body: SqlBody,
  placeholders: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  const digester = new Digester();
  let isReplaced = false;
  try {
    for await (const piece of replacePlaceholders(readSqlBody(body), { placeholders })) {
      isReplaced ||= typeof piece !== 'string';
      digester.update(Buffer.from(typeof piece === 'string' ? piece : piece.value));
    }
  } catch (error) {
    // That it is no UTF-8 is told where it is run.
    if (error instanceof SqlSyntaxError) return undefined;
    throw error;
  }
  return isReplaced ? digester.finish().checksum : undefined;
}
