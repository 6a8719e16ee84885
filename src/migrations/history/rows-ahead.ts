import type { MigrationSession } from '../database/session.js';
import { THERE } from '../sql/landed.js';
import type { Journal, NewEntry } from './journal.js';

/** A table that a statement is to create; without a schema in that of the session. */
export interface TableToCome {
  readonly schema?: string | undefined;
  readonly name: string;
}

/** How `warnings` of a row begins that is written ahead, before the table that its statement creates; see {@link TableToCome}. */
const AHEAD = 'ahead ';
const MOST_IN_WARNINGS = 200;

interface AheadRow {
  readonly warnings: string | null;
}

export function isAhead({ warnings }: AheadRow): boolean {
  return warnings?.startsWith(AHEAD) === true;
}

/**
 * The rows of the journal that are written with the COMMIT of one script for the first statement of the next one, which is
 * sent right behind it: a commit less for each. Where the next one is not begun after all, its row is taken back.
 */
export class RowsAhead {
  readonly #journal: Journal;
  /** Of each such script whether its row is known to be in the table; else it travels with what is not answered yet. */
  readonly #written = new Map<string, boolean>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Whether the first statement of a script has its row, or will have it once what is sent before it has committed. */
  has(script: string): boolean {
    return this.#written.has(script);
  }

  /** With what is sent next. */
  async write(session: MigrationSession, script: string, entry: Omit<NewEntry, 'when'>): Promise<void> {
    this.#written.set(script, false);
    await this.#journal.started(session, script, { ...entry, when: 'with what is next' });
  }

  /** What the row travelled with has committed, or was undone. */
  settle(script: string | undefined, isCommitted: boolean): void {
    if (script === undefined || !this.#written.delete(script)) return;
    if (isCommitted) this.#written.set(script, true);
    else this.#journal.noteEmpty(script);
  }

  /** The server has come to the statement: its row is one as any other. */
  begin(script: string): void {
    this.#written.delete(script);
  }

  /**
   * Takes back the row of a script, or of all, that no statement was sent for. Never rejects: what is left is settled as what an
   * earlier run left.
   */
  async withdraw(session: MigrationSession, only?: string): Promise<void> {
    for (const [script, isWritten] of this.#written) {
      if (only !== undefined && script !== only) continue;
      this.#written.delete(script);
      if (isWritten && !session.lost) await this.#journal.withdraw(session, script).catch(() => undefined);
    }
  }
}

export function aheadOf({ schema, name }: TableToCome): string {
  return AHEAD + JSON.stringify([schema ?? null, name]);
}

/** Whether a row can be written ahead of the statement that creates a table. */
export function canBeAhead(table: TableToCome): boolean {
  return aheadOf(table).length <= MOST_IN_WARNINGS;
}

/**
 * Whether a row that was written ahead is of a statement that did not happen, whoever was to send it: its table was there before,
 * and it would change nothing; or it is not there.
 */
export async function isUnbegun(
  session: MigrationSession,
  row: AheadRow & { readonly first_statement: number | string; readonly fingerprint: string | null },
): Promise<boolean> {
  const { first_statement, warnings, fingerprint } = row;
  if (Number(first_statement) !== 1 || warnings === null || !isAhead(row)) return false;
  if (fingerprint === THERE) return true;
  const [schema, name] = JSON.parse(warnings.slice(AHEAD.length)) as [string | null, string];
  const rows = await session.query(
    'SELECT 1 FROM information_schema.tables WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?',
    [schema, name],
  );
  return rows.length === 0;
}
