import type { MigrationSession } from '../database/session.js';
import type { DryRunTable } from '../migrator.js';

/** From the weakest on. https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES */
const MODES = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];

interface Effect {
  readonly table: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Its place in {@link MODES}; 0 where none but the weakest was taken. */
  readonly lock: number;
}

/**
 * What the transaction has done to each table so far: its own counters (`pg_stat_xact_user_tables`) and its own locks.
 * Locks are held to the end, so a lock that an earlier script took as strongly is not seen again.
 */
export class TableEffects {
  readonly #session: MigrationSession;
  #before: ReadonlyMap<string, Effect> = new Map();

  constructor(session: MigrationSession) {
    this.#session = session;
  }

  async start(): Promise<void> {
    this.#before = await this.#read();
  }

  /** What came since {@link start} or the last call. */
  async take(): Promise<readonly DryRunTable[]> {
    const before = this.#before;
    this.#before = await this.#read();
    return [...this.#before.values()]
      .map((effect) => since(effect, before.get(effect.table)))
      .filter(
        ({ inserted, updated, deleted, strongestLock }) =>
          inserted + updated + deleted > 0 || strongestLock !== undefined,
      )
      .sort((a, b) => (a.table < b.table ? -1 : 1));
  }

  async #read(): Promise<ReadonlyMap<string, Effect>> {
    const rows = await this.#session.query<{
      table: string;
      inserted: number;
      updated: number;
      deleted: number;
      modes: string | null;
    }>(
      `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS "table",
              coalesce(s.n_tup_ins, 0)::float8 AS inserted, coalesce(s.n_tup_upd, 0)::float8 AS updated,
              coalesce(s.n_tup_del, 0)::float8 AS deleted, l.modes
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_stat_xact_user_tables s ON s.relid = c.oid
         LEFT JOIN (SELECT relation, pg_catalog.string_agg(mode, ',') AS modes FROM pg_catalog.pg_locks
                     WHERE locktype = 'relation' AND pid = pg_catalog.pg_backend_pid() GROUP BY relation) l ON l.relation = c.oid
        WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
          AND c.relname NOT LIKE 'holdfast\\_%' AND n.nspname NOT LIKE 'pg\\_temp%'
          AND (s.relid IS NOT NULL OR l.relation IS NOT NULL)`,
    );
    return new Map(
      rows.map(({ table, inserted, updated, deleted, modes }): [string, Effect] => [
        table,
        {
          table,
          inserted: Number(inserted),
          updated: Number(updated),
          deleted: Number(deleted),
          lock: Math.max(0, ...(modes ?? '').split(',').map((mode) => MODES.indexOf(mode))),
        },
      ]),
    );
  }
}

function since(now: Effect, before: Effect | undefined): DryRunTable {
  return {
    table: now.table,
    inserted: now.inserted - (before?.inserted ?? 0),
    updated: now.updated - (before?.updated ?? 0),
    deleted: now.deleted - (before?.deleted ?? 0),
    strongestLock: now.lock > (before?.lock ?? 0) ? nameOf(MODES[now.lock]!) : undefined,
  };
}

/** `ShareRowExclusiveLock` -> `SHARE ROW EXCLUSIVE`, as LOCK TABLE has it. */
function nameOf(mode: string): string {
  return mode
    .replace(/Lock$/, '')
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toUpperCase();
}
