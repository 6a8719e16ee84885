import type { AppliedMigration, ResolvedMigration } from '../migration.js';
import { storedDescription } from './runs.js';

/** In what a file is not what was applied. */
export interface Difference {
  readonly what: 'checksum' | 'kind' | 'description';
  readonly applied: string;
  readonly found: string;
}

/**
 * Compares a versioned file with its row. What a history does not have is not compared: a row in code (`JDBC`) has no
 * checksum in Flyway, and what is compiled differs from its source; there the description alone tells.
 */
export function differenceOf(file: ResolvedMigration, row: AppliedMigration): Difference | undefined {
  const found = file.body.kind === 'code' ? 'JDBC' : 'SQL';
  if ((row.type === 'SQL' || row.type === 'JDBC') && row.type !== found)
    return { what: 'kind', applied: kindOf(row.type), found: kindOf(found) };
  const checksums = file.body.kind === 'code' ? undefined : compareChecksums(file, row);
  if (checksums !== undefined) return checksums === 'equal' ? undefined : checksums;
  return isRenamed(file, row)
    ? { what: 'description', applied: `"${row.description}"`, found: `"${file.description}"` }
    : undefined;
}

/** Whether a repeatable file has to run again. */
export function isOutdated(file: ResolvedMigration, row: AppliedMigration): boolean {
  const checksums = compareChecksums(file, row);
  return checksums !== undefined && checksums !== 'equal';
}

/** Whether the file is the one whose checksum another tool kept; undefined where that kept none of SQL. */
export function isSameSql(
  file: ResolvedMigration,
  checksums: Pick<AppliedMigration, 'checksum' | 'sha256'>,
): boolean | undefined {
  const checksumsOfBoth = file.body.kind === 'code' ? undefined : compareChecksums(file, checksums);
  return checksumsOfBoth && checksumsOfBoth === 'equal';
}

/** Whether the row of a repeatable file has a checksum that knows nothing of the values of its placeholders. */
export function isOfFileAlone(file: ResolvedMigration, row: Pick<AppliedMigration, 'checksum'>): boolean {
  return file.checksumOfFile !== undefined && row.checksum === file.checksumOfFile;
}

/** Whether the description is another one, which is harmless as long as the content is the same. */
export function isRenamed(file: ResolvedMigration, row: AppliedMigration): boolean {
  return storedDescription(file.description) !== storedDescription(row.description);
}

/**
 * Undefined when the row has none. The CRC32 goes first: it does not see line ends, which git may change at a checkout;
 * SHA-256 is for rows that have nothing else, as Prisma's, and taken of both kinds of line ends.
 */
function compareChecksums(
  file: ResolvedMigration,
  row: Pick<AppliedMigration, 'checksum' | 'sha256'>,
): Difference | 'equal' | undefined {
  const [applied, found] =
    row.checksum === undefined ? [row.sha256, file.sha256] : [row.checksum, file.checksum];
  if (applied === undefined) return undefined;
  if (isOfFileAlone(file, row)) return 'equal';
  if (file.sha256OfLineEnds?.includes(String(applied))) return 'equal';
  return applied === found ? 'equal' : { what: 'checksum', applied: String(applied), found: String(found) };
}

const kindOf = (type: 'SQL' | 'JDBC') => (type === 'SQL' ? 'SQL' : 'code');
