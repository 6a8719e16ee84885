import type { ManualModes } from '../../ambient-scope.js';
import { SavepointPart, type SavepointSession, type SharedConnection } from '../../savepoint-part.js';
import type { CommitAnswer, SessionStatus } from '../../session.js';
import type { Turn } from '../../turns.js';
import { readControl } from './pg-control.js';
import { PgSession, type PgSessionOptions } from './pg-session.js';
import type { PgQuery } from './pg-types.js';

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

/** A {@link PgSession} that is part of a shared transaction. */
export class PgSavepointSession extends PgSession implements SavepointSession {
  readonly #part: SavepointPart;

  constructor(connection: SharedConnection<PgSession>, turn: Turn, options: PgSessionOptions) {
    super(connection.session.client, options);
    this.#part = new SavepointPart(connection, turn, {
      session: this,
      status: () => super.status(),
      control: (text) => super.control(text),
      cancel: () => super.cancel(),
      savepoint: (name, { readOnly }) => `SAVEPOINT ${name}${readOnly ? '; SET TRANSACTION READ ONLY' : ''}`,
      release: (name) => `${CHECK_CONSTRAINTS}; RELEASE SAVEPOINT ${name}`,
      hasEnded: () => super.endedByStatement,
    });
  }

  override status(): SessionStatus {
    return this.#part.status();
  }

  override async query(query: PgQuery, prefix: readonly string[]): Promise<unknown> {
    for (const text of prefix) await this.control(text);
    const level = SET_ISOLATION.exec(query.text ?? '')?.[1];
    if (level && !this.#part.hasLevel(level))
      return { command: 'SET', rowCount: null, oid: null, rows: [], fields: [] };
    return this.#part.inTurn(() => super.query(query, []));
  }

  override async submit(submittable: object, prefix: readonly string[]): Promise<void> {
    for (const text of prefix) await this.control(text);
    await this.#part.inTurn(() => super.submit(submittable, []));
  }

  override async control(text: string): Promise<void> {
    if (text === 'ROLLBACK') return this.#part.rollback();
    const begin = text.startsWith('BEGIN') ? readControl(text) : undefined;
    if (begin?.verb === 'begin') return this.begin(begin);
    await this.#part.control(text);
  }

  begin(modes: ManualModes): Promise<void> {
    return this.#part.begin(modes);
  }

  override commit(): Promise<CommitAnswer> {
    return this.#part.commit();
  }

  leave(): Promise<void> {
    return this.#part.leave();
  }

  override cancel(): Promise<void> {
    return this.#part.cancel();
  }
}
