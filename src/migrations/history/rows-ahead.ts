import type { MigrationSession } from '../database/session.js';
import type { Journal, NewEntry } from './journal.js';

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
    else this.#journal.forgetAll(script);
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
