import type { IsolationLevel } from '../../../core/index.js';
import { TestTransactionError } from '../../errors.js';
import type { CommitAnswer, SessionStatus } from '../../session.js';
import type { Turn, Turns } from '../../turns.js';
import { readControl } from './pg-control.js';
import { PgSession, type PgSessionOptions } from './pg-session.js';
import type { PgClient, PgQuery } from './pg-types.js';

/** What a savepoint session needs of the transaction that it is part of. */
export interface SharedConnection {
  /** The connection itself, below all savepoints. */
  readonly session: PgSession;
  readonly client: PgClient;
  readonly options: PgSessionOptions;
  readonly turns: Turns;
  /** The level of the shared transaction. */
  readonly isolationLevel: string;
  /** Whether another level may be asked for, without effect. */
  readonly allowsIsolationLevel: boolean;
  nextSavepoint(): string;
  /** Hears why the shared transaction can no longer be rolled back as a whole, or used. */
  failed(error: Error): void;
}

const SET_ISOLATION =
  /^\s*set\s+(?:local\s+)?transaction\s+isolation\s+level\s+(\w+(?:\s+(?:committed|uncommitted|read))?)\s*;?\s*$/i;

/**
 * COMMIT checks deferred constraints, and afterwards each is deferred, or not, as it was declared. All deferred
 * ones are found by name, because `SET CONSTRAINTS ALL DEFERRED` would defer those that are only deferrable as well.
 */
const CHECK_CONSTRAINTS = `SET CONSTRAINTS ALL IMMEDIATE; DO $holdfast$
DECLARE names text := (SELECT string_agg(format('%I.%I', nspname, conname), ', ')
  FROM pg_constraint JOIN pg_namespace ON pg_namespace.oid = connamespace WHERE condeferred);
BEGIN
  IF names IS NOT NULL THEN EXECUTE 'SET CONSTRAINTS ' || names || ' DEFERRED'; END IF;
END $holdfast$`;

/**
 * A part of a shared transaction that looks like a session with a transaction of its own: BEGIN is a savepoint, COMMIT
 * checks what a COMMIT checks and releases it, ROLLBACK undoes it. It lasts for one {@link Turn}.
 */
export class PgSavepointSession extends PgSession {
  readonly #shared: SharedConnection;
  readonly #turn: Turn;
  #savepoint: string | undefined;
  #running = false;

  constructor(shared: SharedConnection, turn: Turn) {
    super(shared.client, shared.options);
    this.#shared = shared;
    this.#turn = turn;
    if (shared.session.lost) this.abandon(shared.session.lost);
  }

  override status(): SessionStatus {
    if (!this.#savepoint) return 'idle';
    // What runs on top of it says nothing of its own state: it was sound, or nothing could be on top.
    return this.#shared.turns.top === this.#turn ? super.status() : 'in transaction';
  }

  override async query(query: PgQuery, prefix: readonly string[]): Promise<unknown> {
    for (const text of prefix) await this.control(text);
    const level = SET_ISOLATION.exec(query.text ?? '')?.[1];
    if (level && !this.#hasLevel(level))
      return { command: 'SET', rowCount: null, oid: null, rows: [], fields: [] };
    return this.#inTurn(() => super.query(query, []));
  }

  override async submit(submittable: object, prefix: readonly string[]): Promise<void> {
    for (const text of prefix) await this.control(text);
    await this.#inTurn(() => super.submit(submittable, []));
  }

  override async control(text: string): Promise<void> {
    if (text === 'ROLLBACK') return this.rollback();
    const begin = text.startsWith('BEGIN') ? readControl(text) : undefined;
    if (begin?.verb === 'begin') return this.begin(begin);
    await this.#inTurn(() => super.control(text));
  }

  async begin({ isolationLevel, readOnly }: BeginModes): Promise<void> {
    if (isolationLevel) this.#hasLevel(isolationLevel);
    const savepoint = this.#shared.nextSavepoint();
    const access = readOnly ? '; SET TRANSACTION READ ONLY' : '';
    await this.#inTurn(() => super.control(`SAVEPOINT ${savepoint}${access}`));
    this.#savepoint = savepoint;
  }

  override async commit(): Promise<CommitAnswer> {
    if (this.status() === 'failed') {
      await this.rollback();
      return { kind: 'rolled back', error: undefined };
    }
    try {
      await this.#inTurn(() => super.control(`${CHECK_CONSTRAINTS}; RELEASE SAVEPOINT ${this.#savepoint}`));
    } catch (error) {
      await this.rollback();
      return { kind: 'rolled back', error: error as Error };
    }
    this.#savepoint = undefined;
    return { kind: 'committed' };
  }

  /** Undoes what was done since BEGIN. Never rejects: where it cannot, the shared transaction is over. */
  async rollback(): Promise<void> {
    const savepoint = this.#savepoint;
    if (!savepoint || this.lost) return;
    try {
      await this.#inTurn(() =>
        super.control(`ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}`),
      );
    } catch (error) {
      this.#shared.failed(error as Error);
    }
    this.#savepoint = undefined;
  }

  /** Ends the turn. What is still open is undone first. */
  async leave(): Promise<void> {
    await this.rollback();
    // What this one can no longer trust, nobody can.
    if (this.lost) this.#shared.session.abandon(this.lost);
    this.detach();
    this.#shared.turns.end(this.#turn);
  }

  override async cancel(): Promise<void> {
    // A cancel request names the connection: it would hit the statement of whoever has its turn.
    if (this.#running) await super.cancel();
  }

  /** Whether it is the shared transaction's own level. Throws where it is not and may not be. */
  #hasLevel(wanted: string): boolean {
    const { isolationLevel, allowsIsolationLevel } = this.#shared;
    const level = wanted.toUpperCase().replace(/\s+/g, ' ') as IsolationLevel;
    if (level === isolationLevel) return true;
    if (allowsIsolationLevel) return false;
    throw new TestTransactionError(
      `"${this.#turn.name}" asks for ${level}, and the transaction that rollbackPerTest() opened runs at ${isolationLevel}: a part of it cannot have a level of its own. ` +
        `Open it with rollbackPerTest({ isolationLevel: '${level}' }), or let the level have no effect with rollbackPerTest({ allow: ['ISOLATION_LEVEL'] }).`,
      { cause: this.#turn.askedAt },
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#shared.turns.run(this.#turn, async () => {
      this.#running = true;
      try {
        return await work();
      } finally {
        this.#running = false;
        if (super.endedByStatement && this.#savepoint) this.#shared.failed(endedByStatement(this.#turn));
      }
    });
  }
}

/** What a transaction of the application asks for when it begins. */
export interface BeginModes {
  readonly isolationLevel: string | undefined;
  readonly readOnly: boolean;
}

function endedByStatement({ name, askedAt }: Turn): TestTransactionError {
  return new TestTransactionError(
    `A statement of "${name}" ended the transaction that rollbackPerTest() opened: what the test had done before is committed, or gone. Remove COMMIT and ROLLBACK from it.`,
    { cause: askedAt },
  );
}
