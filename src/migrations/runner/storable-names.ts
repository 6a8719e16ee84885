import type { MigrationSession } from '../database/session.js';
import { ValidationFailedError } from '../errors.js';
import { JOURNAL_TABLE } from '../history/journal.js';
import { LOCK_TABLE } from '../locks/lock-table.js';
import type { ResolvedMigration } from '../migration.js';
import type { RunContext } from './run-context.js';

/** Where the names of migrations are written on MySQL, and cannot be in any character. */
const NARROW_COLUMNS = `SELECT DISTINCT table_name AS name, character_set_name AS charset
    FROM information_schema.columns
   WHERE table_schema = ? AND table_name IN (?, ?, ?) AND column_name IN ('script', 'description', 'migration')
     AND character_set_name <> 'utf8mb4'
   ORDER BY table_name`;

/** What every character set has. */
const ONLY_ASCII = /^[\x20-\x7e]*$/;

/**
 * Throws `ValidationFailedError` for a migration whose name a table of the history, the journal or the lock cannot hold:
 * those that Flyway made, or holdfast before its were in utf8mb4, have the character set of the database.
 */
export async function requireStorableNames(
  { session, history }: RunContext,
  migrations: readonly ResolvedMigration[],
): Promise<void> {
  if (session.dialect !== 'mysql') return;
  const special = migrations.filter((migration) => !ONLY_ASCII.test(namesOf(migration)));
  if (special.length === 0) return;
  const tables = await session.query<{ name: string; charset: string }>(NARROW_COLUMNS, [
    history.schema,
    history.name,
    JOURNAL_TABLE,
    LOCK_TABLE,
  ]);
  for (const migration of special) {
    const names = namesOf(migration);
    const narrow: typeof tables = [];
    for (const table of tables) if (!(await canHold(session, table.charset, names))) narrow.push(table);
    if (narrow.length === 0) continue;
    const quoted = ({ name }: { name: string }): string =>
      `${session.quote(history.schema)}.${session.quote(name)}`;
    const where = narrow.map((table) => `${quoted(table)} (${table.charset})`).join(', ');
    const alter = narrow.map((table) => `ALTER TABLE ${quoted(table)} CONVERT TO CHARACTER SET utf8mb4`);
    throw new ValidationFailedError(
      `${migration.script}: its name has characters that the character set of ${where} does not have, so that it cannot be written there. No migration was run. Rename the file, or: ${alter.join('; ')}`,
    );
  }
}

function namesOf({ script, description }: ResolvedMigration): string {
  return `${script} ${description}`;
}

async function canHold(session: MigrationSession, charset: string, text: string): Promise<boolean> {
  // As bytes, for two collations cannot be compared. What the character set does not have becomes a question mark.
  const [row] = await session.query<{ held: number }>(
    `SELECT HEX(CONVERT(CONVERT(? USING ${session.quote(charset)}) USING utf8mb4)) = HEX(CONVERT(? USING utf8mb4)) AS held`,
    [text, text],
  );
  return Number(row?.held) === 1;
}
