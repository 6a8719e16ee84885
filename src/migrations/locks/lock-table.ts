import type { MigrationSession, WhenSent } from '../database/session.js';
import { createMissingSchema, TABLE_DIALECTS } from '../history/table-dialect.js';
import type { Deployer } from './deployer.js';
import type { LockHolder } from './lock.js';
import type { SessionMark } from './session-mark.js';

export const LOCK_TABLE = 'holdfast_migration_lock';

/** Where two databases say the same thing differently. */
interface Words {
  readonly time: string;
  /** The server's clock, not that of the transaction. */
  readonly now: string;
  /** The server's clock, so many milliseconds on. */
  readonly nowPlus: (placeholder: string) => string;
  /** How many seconds ago a time was. */
  readonly secondsSince: (column: string) => string;
  /** Inserts a row unless it is there. */
  readonly insertOnce: (table: string, columns: string, values: string) => string;
}

const WORDS: Readonly<Record<MigrationSession['dialect'], Words>> = {
  postgres: {
    time: 'timestamptz',
    now: 'clock_timestamp()',
    nowPlus: (placeholder) => `clock_timestamp() + ${placeholder}::float8 * interval '1 millisecond'`,
    secondsSince: (column) => `extract(epoch FROM clock_timestamp() - ${column})::float8`,
    insertOnce: (table, columns, values) =>
      `INSERT INTO ${table} (${columns}) VALUES (${values}) ON CONFLICT DO NOTHING`,
  },
  mysql: {
    time: 'datetime(6)',
    // The local time of two deployers' sessions may differ.
    now: 'UTC_TIMESTAMP(6)',
    nowPlus: (placeholder) => `UTC_TIMESTAMP(6) + INTERVAL ${placeholder} * 1000 MICROSECOND`,
    secondsSince: (column) => `TIMESTAMPDIFF(MICROSECOND, ${column}, UTC_TIMESTAMP(6)) / 1e6`,
    insertOnce: (table, columns, values) =>
      `INSERT INTO ${table} (${columns}) VALUES (${values}) ON DUPLICATE KEY UPDATE name = name`,
  },
};

/** A row that is somebody's. */
export interface LockRow {
  readonly owner: string;
  /** The time of `holder.since`, as the server writes it, to the microsecond. */
  readonly since: string;
  readonly isExpired: boolean;
  readonly holder: LockHolder;
  /** The session that works under it, where it is nobody else's. */
  readonly session: SessionMark | undefined;
}

/** Whose a row becomes. */
export interface Claim {
  readonly owner: string;
  readonly deployer: Deployer;
  /** How long it is theirs, in milliseconds by the server's clock. */
  readonly leaseMs: number;
  readonly session: SessionMark | undefined;
}

/** What the row of a session says. */
export interface Inscription extends Pick<Claim, 'owner' | 'deployer'> {
  readonly migration: string | undefined;
  /** Whether the session has only now got the lock. */
  readonly since: 'now' | 'as it is';
}

/**
 * The table of leases, a row for each history that was ever locked. A row stays when its lease ends, so that its fencing
 * token goes up for ever. On MySQL a session lock says there who has it, which that server cannot be asked.
 *
 * Every call is one statement, and commits by itself outside a transaction.
 */
export class LockTable {
  readonly #session: MigrationSession;
  readonly #schema: string;
  readonly #name: string;
  readonly #table: string;
  readonly #words: Words;

  constructor(session: MigrationSession, { schema, name }: { schema: string; name: string }) {
    this.#session = session;
    this.#schema = schema;
    this.#name = name;
    this.#table = `${session.quote(schema)}.${session.quote(LOCK_TABLE)}`;
    this.#words = WORDS[session.dialect];
  }

  /** The same row, through another session. */
  through(session: MigrationSession): LockTable {
    return new LockTable(session, { schema: this.#schema, name: this.#name });
  }

  async exists(): Promise<boolean> {
    const found = await this.#query(
      'SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?',
      [this.#schema, LOCK_TABLE],
    );
    return found.length > 0;
  }

  /** Creates the table and the row, where they are missing. */
  async prepare(): Promise<void> {
    if (!(await this.exists())) await this.#create();
    await this.#query(this.#words.insertOnce(this.#table, 'name, token', '?, 0'), [this.#name]);
  }

  /** Makes the row ours if it is nobody's, or its lease is over. Resolves to the fencing token, or to `undefined`. */
  async claim({ owner, deployer, leaseMs, session }: Claim): Promise<number | undefined> {
    const { now, nowPlus } = this.#words;
    await this.#query(
      `UPDATE ${this.#table}
          SET token = token + 1, owner = ?, host = ?, pid = ?, migration = NULL, since = ${now}, expires = ${nowPlus('?')},
              backend_id = ?, backend_mark = ?
        WHERE name = ? AND (owner IS NULL OR expires < ${now})`,
      [
        owner,
        deployer.host,
        deployer.pid,
        leaseMs,
        session?.backendId ?? null,
        session?.mark ?? null,
        this.#name,
      ],
    );
    const [row] = await this.#query<{ token: number }>(
      `SELECT token FROM ${this.#table} WHERE name = ? AND owner = ?`,
      [this.#name, owner],
    );
    return row?.token;
  }

  /** Makes the row that of a session, whoever wrote it last: the session has the lock, the row only says so. */
  async inscribe({ owner, deployer, migration, since }: Inscription, when: WhenSent = 'now'): Promise<void> {
    // A session that ended without a word may have had the same id, before the server was restarted.
    const kept = since === 'as it is' ? owner : null;
    const text = this.#numbered(
      `UPDATE ${this.#table}
          SET since = CASE WHEN owner = ? THEN since ELSE ${this.#words.now} END,
              owner = ?, host = ?, pid = ?, migration = ?, expires = NULL, backend_id = NULL, backend_mark = NULL
        WHERE name = ?`,
    );
    const values = [kept, owner, deployer.host, deployer.pid, migration ?? null, this.#name];
    if (when === 'now') await this.#session.query(text, values);
    else this.#session.defer({ text, values });
  }

  /** Makes the lease last from now on. Whether it was still ours. */
  async renew(owner: string, leaseMs: number): Promise<boolean> {
    await this.#query(
      `UPDATE ${this.#table} SET expires = ${this.#words.nowPlus('?')} WHERE name = ? AND owner = ?`,
      [leaseMs, this.#name, owner],
    );
    return (await this.row())?.owner === owner;
  }

  async announce(owner: string, migration: string | undefined): Promise<void> {
    await this.#query(`UPDATE ${this.#table} SET migration = ? WHERE name = ? AND owner = ?`, [
      migration ?? null,
      this.#name,
      owner,
    ]);
  }

  /** Whether the row is ours. Locks it until the transaction around ends, so that nobody can take it over before. */
  async holdFast(owner: string): Promise<boolean> {
    const rows = await this.#query(
      `SELECT token FROM ${this.#table} WHERE name = ? AND owner = ? FOR UPDATE`,
      [this.#name, owner],
    );
    return rows.length > 0;
  }

  async free(owner: string): Promise<void> {
    await this.#query(
      `UPDATE ${this.#table} SET owner = NULL, migration = NULL, expires = NULL WHERE name = ? AND owner = ?`,
      [this.#name, owner],
    );
  }

  /** Who the row belongs to; `undefined` where it is nobody's, or there is no table yet. */
  async row(): Promise<LockRow | undefined> {
    if (!(await this.exists())) return undefined;
    const [row] = await this.#query<{
      owner: string;
      host: string;
      pid: number;
      migration: string | null;
      age: number;
      taken_at: string;
      backend_id: number | string | null;
      backend_mark: string | null;
      expired: number | boolean | null;
    }>(
      `SELECT owner, host, pid, migration, backend_id, backend_mark, ${this.#words.secondsSince('since')} AS age,
              CAST(since AS char(32)) AS taken_at, expires < ${this.#words.now} AS expired
         FROM ${this.#table} WHERE name = ? AND owner IS NOT NULL`,
      [this.#name],
    );
    if (!row) return undefined;
    const { owner, host, pid, migration, age, taken_at, expired, backend_id, backend_mark } = row;
    const session =
      backend_id === null || backend_mark === null
        ? undefined
        : { backendId: Number(backend_id), mark: backend_mark };
    return {
      owner,
      since: taken_at,
      isExpired: Boolean(expired),
      session,
      holder: {
        ...(session && { backendId: session.backendId }),
        host,
        pid,
        since: new Date(Math.round(Date.now() / 1000 - Number(age)) * 1000),
        ...(migration !== null && { migration }),
      },
    };
  }

  async #create(): Promise<void> {
    const { time } = this.#words;
    try {
      if (this.#session.dialect === 'postgres') await createMissingSchema(this.#session, this.#schema);
      await this.#query(
        `CREATE TABLE IF NOT EXISTS ${this.#table} (
           name varchar(191) NOT NULL PRIMARY KEY,
           token bigint NOT NULL,
           owner varchar(64),
           host varchar(255),
           pid integer,
           migration varchar(1000),
           since ${time},
           expires ${time},
           backend_id bigint,
           backend_mark varchar(255)
         )${TABLE_DIALECTS[this.#session.dialect].tableOptions}`,
        [],
      );
    } catch (error) {
      // On PostgreSQL two that create it at once can both find it missing, and one fails on the catalogue's unique index.
      if (!(await this.exists())) throw error;
    }
  }

  #query<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.#session.query<Row>(this.#numbered(text), values);
  }

  #numbered(text: string): string {
    let number = 0;
    return text.replaceAll('?', () => this.#session.placeholder(++number));
  }
}
