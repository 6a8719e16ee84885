import { hash } from 'node:crypto';
import type { MigrationSession, WhenSent } from '../database/session.js';
import { isDuplicateKey } from '../database/explain-error.js';
import type { LockHolder } from '../locks/lock.js';
import { lockLost } from '../locks/lock-lost.js';
import type { CallbackMoment } from '../events.js';
import type { Fingerprint } from '../sql/landed.js';
import { aheadOf, isAhead, isUnbegun, RowsAhead, type TableToCome } from './rows-ahead.js';
import { parameters, TABLE_DIALECTS, tableExists, type TablePlace } from './table-dialect.js';

/** A statement, or a run of statements in one transaction, of a migration that no single transaction can hold. */
export interface JournalEntry {
  /** Number of its first and last statement in the file. */
  readonly first: number;
  readonly last: number;
  /** SHA-256 of the statements' texts, in hex. */
  readonly sha256: string;
  /** Line of the file that it begins in, and its beginning, for people. */
  readonly line: number;
  readonly text: string;
}

/** An entry that is to be written. */
export interface NewEntry extends JournalEntry {
  /** Of a row that is written {@link Journal.ahead}: the table that the statement creates. */
  readonly creates?: TableToCome;
  /** What the server's catalogue says of its target before it is sent; see {@link LandedCheck.fingerprint}. */
  readonly fingerprint: Fingerprint | undefined;
  readonly when: WhenSent;
}

/** An entry, as it is in the table. */
export interface RecordedEntry extends JournalEntry {
  readonly fingerprint: string | undefined;
  /** The session that sent it. */
  readonly backendId: number;
  readonly startedAt: Date;
  /**
   * Whether the server's answer came: it was marked, or a later one was begun. Of one whose answer did not come, nobody
   * knows whether it took effect.
   */
  readonly finished: boolean;
  /** The codes of the warnings that it took effect with. */
  readonly warnings: readonly string[];
}

/** How far a run came with a script that is not in the history yet. */
export interface BegunScript {
  readonly script: string;
  /** Statements 1 to this one took effect. */
  readonly done: number;
  /** The one that was sent and whose answer never came, and the line it begins in. */
  readonly undecided: { readonly statement: number; readonly line: number } | undefined;
  readonly startedAt: Date;
  /** Who is at it now: the journal does not know, so that it is added by `survey()`. */
  readonly runBy?: LockHolder;
}

/** What runs left behind that did not come to their end. */
export interface KnownOfRuns {
  readonly begun: readonly BegunScript[];
  /** Moments whose callbacks failed when what they belong to was applied: the next `up` runs them. */
  readonly owed: ReadonlySet<CallbackMoment>;
}

/** How their rows are told from those of scripts, whose names have an extension. */
const CALLBACKS = 'callbacks of ';

interface Row {
  readonly first_statement: number | string;
  readonly last_statement: number | string;
  readonly sha256: string;
  readonly line: number | string;
  readonly statement: string;
  readonly fingerprint: string | null;
  readonly backend_id: number | string;
  readonly started_at_ms: number | string;
  readonly finished: boolean | number | string;
  readonly warnings: string | null;
}

/** A variable of the session, on MySQL: where the server puts what it was asked. */
const ANSWER = '@holdfast_fingerprint';

export const JOURNAL_TABLE = 'holdfast_migration_journal';

/**
 * What was done of a migration that is not one transaction, statement by statement, so that a crash at any point can be
 * told: a row is written before a statement that commits by itself is sent, and marked when its answer came; the row of
 * statements that run in a transaction commits with them. The rows go when the migration is in the history.
 */
export class Journal {
  readonly schema: string;
  readonly name = JOURNAL_TABLE;
  readonly table: string;
  readonly ahead = new RowsAhead(this);
  readonly #history: string;
  #isThere = false;
  /** Those that were not begun: their one row was written ahead, and what it is of did not happen. */
  #unbegun: readonly string[] = [];
  /** The scripts that have rows, once that was asked: of others none are read. */
  #scripts: Set<string> | undefined;
  /** Of the script that was asked for last. */
  #last: { readonly script: string; readonly id: string } | undefined;

  constructor(history: TablePlace, dialect: MigrationSession['dialect']) {
    const { quote } = TABLE_DIALECTS[dialect];
    this.schema = history.schema;
    this.table = `${quote(history.schema)}.${quote(JOURNAL_TABLE)}`;
    this.#history = history.name;
  }

  exists(session: MigrationSession): Promise<boolean> {
    return tableExists(session, this);
  }

  /** Creates the table where it is missing. Only under the lock. */
  async ensure(session: MigrationSession): Promise<void> {
    if (this.#isThere) return;
    this.#isThere = true;
    if (await this.exists(session)) return;
    const { timeType, tableOptions } = TABLE_DIALECTS[session.dialect];
    // A script's name is too long for a key of InnoDB: the key is a hash of it.
    await session.query(`CREATE TABLE ${this.table} (
      script_id CHAR(64) NOT NULL,
      first_statement INTEGER NOT NULL,
      last_statement INTEGER NOT NULL,
      history VARCHAR(200) NOT NULL,
      script VARCHAR(1000) NOT NULL,
      sha256 CHAR(64) NOT NULL,
      line INTEGER NOT NULL,
      statement VARCHAR(500) NOT NULL,
      fingerprint TEXT,
      backend_id BIGINT NOT NULL,
      started_at ${timeType} NOT NULL,
      finished_at ${timeType} NULL,
      warnings VARCHAR(200),
      PRIMARY KEY (script_id, first_statement)
    )${tableOptions}`);
  }

  /** Whether the table is there, and known to have no rows of a script, but for one that was written {@link ahead}. */
  isNewTo(script: string): boolean {
    return this.#isThere && (this.ahead.has(script) || this.#scripts?.has(script) === false);
  }

  /** It is known that the table has no rows of the script. */
  noteEmpty(script: string): void {
    this.#scripts?.delete(script);
  }

  /** Takes back the row of a script that is about to begin, where this session wrote it. */
  async withdraw(session: MigrationSession, script: string): Promise<void> {
    const [one, two] = [1, 2].map((number) => session.placeholder(number));
    await session.query(
      `DELETE FROM ${this.table} WHERE script_id = ${one} AND backend_id = ${two} AND finished_at IS NULL`,
      [this.#idOf(script), session.backendId],
    );
    this.noteEmpty(script);
  }

  /** What was recorded of a script, in the order of its statements. */
  async list(session: MigrationSession, script: string): Promise<readonly RecordedEntry[]> {
    if (this.#scripts?.has(script) === false) return [];
    const rows = await session.query<Row>(
      `SELECT first_statement, last_statement, sha256, line, statement, fingerprint, backend_id, warnings,
              ${TABLE_DIALECTS[session.dialect].epochOfServerTime('started_at')} AS started_at_ms,
              finished_at IS NOT NULL AS finished
         FROM ${this.table} WHERE script_id = ${session.placeholder(1)} ORDER BY first_statement`,
      [this.#idOf(script)],
    );
    return rows.map((row, index) => entryOf(row, index < rows.length - 1));
  }

  /** What the journal has rows of, of this history. */
  async known(session: MigrationSession): Promise<KnownOfRuns> {
    const [one, two] = [1, 2].map((number) => session.placeholder(number));
    const rows = await session.query<Omit<Row, 'sha256' | 'statement' | 'backend_id'> & { script: string }>(
      `SELECT j.script, j.first_statement, j.last_statement, j.line, j.fingerprint, j.warnings,
              ${TABLE_DIALECTS[session.dialect].epochOfServerTime('j.started_at')} AS started_at_ms,
              j.finished_at IS NOT NULL AS finished
         FROM ${this.table} j
         JOIN (SELECT script_id, MAX(first_statement) AS first_statement FROM ${this.table}
                WHERE history = ${one} GROUP BY script_id) furthest
           ON furthest.script_id = j.script_id AND furthest.first_statement = j.first_statement
        WHERE j.history = ${two} ORDER BY j.script`,
      [this.#history, this.#history],
    );
    this.#isThere = true;
    this.#scripts = new Set(rows.map(({ script }) => script));
    const owed = rows.flatMap(({ script }) =>
      script.startsWith(CALLBACKS) ? [script.slice(CALLBACKS.length) as CallbackMoment] : [],
    );
    const unbegun: string[] = [];
    for (const row of rows) if (await isUnbegun(session, row)) unbegun.push(row.script);
    this.#unbegun = unbegun;
    const scripts = rows.filter(({ script }) => !script.startsWith(CALLBACKS) && !unbegun.includes(script));
    const begun = scripts.map((row) => {
      const isFinished = row.finished === true || Number(row.finished) === 1;
      const first = Number(row.first_statement);
      return {
        script: row.script,
        done: isFinished ? Number(row.last_statement) : first - 1,
        undecided: isFinished ? undefined : { statement: first, line: Number(row.line) },
        startedAt: new Date(Number(row.started_at_ms)),
      };
    });
    return { begun, owed: new Set(owed) };
  }

  /** Takes out the rows of those that {@link known} found not begun. Only under the lock. */
  async forgetUnbegun(session: MigrationSession): Promise<void> {
    for (const script of this.#unbegun) {
      await this.clear(session, script);
      this.noteEmpty(script);
    }
    this.#unbegun = [];
  }

  /**
   * The script that a session of MySQL is at, or failed at: its rows are there until it is in the history. Those from before
   * `since`, a time of the server, are of another session that had the same id, or of what this one did under the lock before.
   */
  async scriptOf(
    session: MigrationSession,
    { backendId, since }: { readonly backendId: number; readonly since: string },
  ): Promise<string | undefined> {
    const [one, two, three] = [1, 2, 3].map((number) => session.placeholder(number));
    const [newest] = await session.query<{ script: string }>(
      `SELECT script FROM ${this.table}
        WHERE history = ${one} AND backend_id = ${two} AND started_at >= ${three} AND script NOT LIKE '${CALLBACKS}%'
        ORDER BY started_at DESC LIMIT 1`,
      [this.#history, backendId, since],
    );
    return newest?.script;
  }

  /** What {@link known} says where there is no table yet. */
  nothingKnown(): KnownOfRuns {
    this.#isThere = false;
    this.#scripts = new Set();
    return { begun: [], owed: new Set() };
  }

  /** Remembers that callbacks failed after what they belong to was applied. Only under the lock. */
  async owe(session: MigrationSession, moment: CallbackMoment): Promise<void> {
    await this.ensure(session);
    await this.settle(session, moment);
    const entry = { first: 1, last: 1, sha256: '', line: 1, text: moment, fingerprint: undefined };
    await this.#insert(session, `${CALLBACKS}${moment}`, {
      entry: { ...entry, when: 'now' },
      finishedAt: 'NULL',
    });
  }

  /** When they have run. */
  settle(session: MigrationSession, moment: CallbackMoment): Promise<void> {
    return this.clear(session, `${CALLBACKS}${moment}`);
  }

  /** Before a statement that commits by itself is sent. */
  started(session: MigrationSession, script: string, entry: NewEntry): Promise<void> {
    return this.#insert(session, script, { entry, finishedAt: 'NULL' });
  }

  /** In the transaction of the statements. */
  done(
    session: MigrationSession,
    script: string,
    entry: JournalEntry & { readonly when: WhenSent },
  ): Promise<void> {
    const { serverTime } = TABLE_DIALECTS[session.dialect];
    return this.#insert(session, script, {
      entry: { ...entry, fingerprint: undefined },
      finishedAt: serverTime,
    });
  }

  /** When the answer of a started statement came. */
  async finished(
    session: MigrationSession,
    script: string,
    { first, warnings = [] }: { readonly first: number; readonly warnings?: readonly string[] },
  ): Promise<void> {
    const [one, two, three] = [1, 2, 3].map((number) => session.placeholder(number));
    const codes = warnings.length === 0 ? null : [...new Set(warnings)].join(',').slice(0, 200);
    await session.query(
      `UPDATE ${this.table} SET finished_at = ${TABLE_DIALECTS[session.dialect].serverTime}, warnings = ${one}
        WHERE script_id = ${two} AND first_statement = ${three}`,
      [codes, this.#idOf(script), first],
    );
  }

  /** When it is certain that a started statement did not take effect. */
  async forget(session: MigrationSession, script: string, first: number): Promise<void> {
    await session.query(
      `DELETE FROM ${this.table} WHERE script_id = ${session.placeholder(1)} AND first_statement = ${session.placeholder(2)}`,
      [this.#idOf(script), first],
    );
  }

  /** With the migration's row in the history, and by `repair`. */
  async clear(session: MigrationSession, script: string, when: WhenSent = 'now'): Promise<void> {
    const text = `DELETE FROM ${this.table} WHERE script_id = ${session.placeholder(1)}`;
    const values = [this.#idOf(script)];
    if (when === 'now') await session.query(text, values);
    else session.defer({ text, values });
  }

  async #insert(
    session: MigrationSession,
    script: string,
    { entry, finishedAt }: { readonly entry: NewEntry; readonly finishedAt: string },
  ): Promise<void> {
    const { serverTime } = TABLE_DIALECTS[session.dialect];
    this.#scripts?.add(script);
    const { fingerprint, when } = entry;
    const isAsked = typeof fingerprint === 'object';
    // Not by the row's own statement: that takes MariaDB twice as long.
    if (isAsked) session.defer({ text: `SET ${ANSWER} = ${fingerprint.sql}`, values: fingerprint.values });
    const text = `INSERT INTO ${this.table} (script_id, first_statement, last_statement, history, script, sha256, line, statement,
                                  backend_id, warnings, started_at, finished_at, fingerprint)
       VALUES (${parameters(session, { count: 10 })}, ${serverTime}, ${finishedAt}, ${isAsked ? ANSWER : session.placeholder(11)})`;
    const values: unknown[] = [
      this.#idOf(script),
      entry.first,
      entry.last,
      this.#history,
      script.slice(0, 1000),
      entry.sha256,
      entry.line,
      entry.text.slice(0, 500),
      session.backendId,
      entry.creates ? aheadOf(entry.creates) : null,
    ];
    if (!isAsked) values.push(fingerprint ?? null);
    const explain = (error: Error): Error | undefined => {
      // PostgreSQL names the table, and a COMMIT may fail with the same code for one of the application's.
      const { table = this.name } = error as { readonly table?: string };
      if (!isDuplicateKey(error) || table !== this.name) return undefined;
      return lockLost(
        'the migration lock',
        `${script} is applied by somebody else too, who has written its statement ${entry.first} into ${this.table}`,
        error,
      );
    };
    if (when === 'with what is next') {
      session.defer({ text, values, explain });
      return;
    }
    await session.query(text, values).catch((error: unknown) => {
      throw explain(error as Error) ?? error;
    });
  }

  #idOf(script: string): string {
    // Asked for several times in a row.
    if (this.#last?.script !== script) {
      const id = hash('sha256', `${this.#history}\n${script}`);
      this.#last = { script, id };
    }
    return this.#last.id;
  }
}

function entryOf(row: Row, wasFollowed: boolean): RecordedEntry {
  return {
    first: Number(row.first_statement),
    last: Number(row.last_statement),
    sha256: row.sha256,
    line: Number(row.line),
    text: row.statement,
    fingerprint: row.fingerprint ?? undefined,
    backendId: Number(row.backend_id),
    startedAt: new Date(Number(row.started_at_ms)),
    finished: wasFollowed || row.finished === true || Number(row.finished) === 1,
    warnings: isAhead(row) ? [] : (row.warnings?.split(',') ?? []),
  };
}
