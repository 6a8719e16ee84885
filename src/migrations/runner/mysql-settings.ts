import type { MigrationSession } from '../database/session.js';
import type { ScriptSettings, SessionSettings } from './session-settings.js';
import { runOwn } from './transaction.js';

/** The most that both servers take: 2^32 - 1 rounds of a recursive query. */
const NO_LIMIT = '4294967295';

/** A year, the most that lock_wait_timeout takes: it has no word for no limit. */
const LONGEST_WAIT_S = 31_536_000;

/** What changes by itself, or says what happened: never a setting. */
const NO_SETTINGS = new Set([
  'error_count',
  'identity',
  'in_transaction',
  'insert_id',
  'last_gtid',
  'last_insert_id',
  'proxy_user',
  'external_user',
  'pseudo_thread_id',
  'rand_seed1',
  'rand_seed2',
  'timestamp',
  'warning_count',
]);

type Values = ReadonlyMap<string, string>;

/**
 * MySQL has no RESET ALL, and resetting the connection (COM_RESET_CONNECTION) releases every GET_LOCK: the values are
 * noted before and put back after. All of them are read only for a script that sets something.
 */
export class MysqlSettings implements SessionSettings {
  #before: Values = new Map();
  #database: string | null = null;
  /** Whether everything was noted, and has to be compared. */
  #isComplete = false;

  async apply(session: MigrationSession, settings: ScriptSettings): Promise<readonly string[]> {
    const { wanted, notes } = wantedValues(session, settings);
    this.#isComplete = settings.changesSession;
    this.#before = new Map();
    if (this.#isComplete) await this.#note(session);
    if (wanted.size === 0) return notes;
    const names = [...wanted.keys()];
    const [current] = await session.query(
      `SELECT ${names.map((name) => `@@SESSION.${name} AS ${name}`).join(', ')}`,
    );
    this.#before = new Map([
      ...this.#before,
      ...names.map((name): [string, string] => [name, String(current?.[name])]),
    ]);
    await runOwn(session, [assignments(wanted)]);
    return notes;
  }

  async restore(session: MigrationSession): Promise<void> {
    const before = this.#before;
    this.#before = new Map();
    if (this.#isComplete) return this.#restoreAll(session, before);
    if (before.size > 0) await runOwn(session, [assignments(before)]);
  }

  async #note(session: MigrationSession): Promise<void> {
    const [here] = await session.query<{ name: string | null }>('SELECT DATABASE() AS name');
    this.#database = here?.name ?? null;
    this.#before = await readAll(session);
  }

  async #restoreAll(session: MigrationSession, before: Values): Promise<void> {
    const after = await readAll(session);
    // One by one: of some the server says only when they are set that they are read-only.
    for (const [name, value] of before) {
      if (after.get(name) === value || NO_SETTINGS.has(name)) continue;
      await session.query(`SET SESSION ${name} = ${literal(value)}`).catch((error: unknown) => {
        if ((error as { errno?: unknown }).errno !== 1238) throw error;
      });
    }
    if (this.#database !== null) await session.query(`USE ${session.quote(this.#database)}`);
    this.#isComplete = false;
  }
}

async function readAll(session: MigrationSession): Promise<Values> {
  const rows = await session.query<{ Variable_name: string; Value: string }>('SHOW SESSION VARIABLES');
  return new Map(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
}

function wantedValues(
  { server }: MigrationSession,
  { lockTimeoutMs, statementTimeoutMs, isRecursive }: ScriptSettings,
): { wanted: Map<string, string>; notes: string[] } {
  const isMariadb = server.product === 'mariadb';
  const wanted = new Map<string, string>();
  const notes: string[] = [];
  if (lockTimeoutMs !== undefined) {
    const seconds = String(lockTimeoutMs === 0 ? LONGEST_WAIT_S : Math.ceil(lockTimeoutMs / 1000));
    wanted.set('lock_wait_timeout', seconds).set('innodb_lock_wait_timeout', seconds);
  }
  if (statementTimeoutMs !== undefined && isMariadb)
    wanted.set('max_statement_time', String(statementTimeoutMs / 1000));
  if (statementTimeoutMs !== undefined && !isMariadb) {
    wanted.set('max_execution_time', String(Math.ceil(statementTimeoutMs)));
    notes.push(
      'MySQL has a time limit for SELECT alone: the statement timeout does not end other statements.',
    );
  }
  if (isRecursive) wanted.set(isMariadb ? 'max_recursive_iterations' : 'cte_max_recursion_depth', NO_LIMIT);
  return { wanted, notes };
}

function assignments(values: Values): string {
  return `SET ${[...values].map(([name, value]) => `SESSION ${name} = ${literal(value)}`).join(', ')}`;
}

/** Numbers as they are, for a numeric variable takes no string; what SHOW calls ON and OFF are words. */
function literal(value: string): string {
  return /^-?\d+(?:\.\d+)?$/.test(value)
    ? value
    : `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
