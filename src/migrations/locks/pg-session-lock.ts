import type { Clock } from '../../core/index.js';
import type { Database, MigrationSession, WhenSent } from '../database/session.js';
import type { LockLostError } from '../errors.js';
import { type Deployer, deployerLabel, readDeployerLabel } from './deployer.js';
import { refuseSharedSessions } from './detect-pooler.js';
import { refuseUnlock } from './force-unlock.js';
import type { AcquireLockOptions, LockHolder, MigrationLock, TakenLock } from './lock.js';
import { lockLost } from './lock-lost.js';
import { pollLock } from './poll-lock.js';
import { untilEnded } from './until-ended.js';

/** How `pg_locks` shows an advisory lock of one bigint. https://www.postgresql.org/docs/current/view-pg-locks.html */
const HELD = `l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((l.classid::bigint << 32) | l.objid::bigint) = $1::bigint`;

/**
 * The lock is taken twice, so that the server says whether it is still ours while it is given back once and taken again:
 * once of two never lets go of it, and both look at the session alone. `pg_locks` says the same and copies the locks of
 * the whole server for it, of which a migration has a dozen: a tenth of the time of a small one.
 */
const TAKE =
  'CASE WHEN pg_try_advisory_lock($1::bigint) THEN pg_try_advisory_lock($1::bigint) ELSE false END';
const IS_HELD =
  'CASE WHEN pg_advisory_unlock($1::bigint) THEN pg_try_advisory_lock($1::bigint) ELSE false END';
const GIVE_BACK = 'SELECT pg_advisory_unlock($1::bigint), pg_advisory_unlock($1::bigint)';

/** What the server is made to say where the lock is not ours. */
const NOT_HELD = 'holdfast: the migration lock is not held by session ';

/** An advisory lock on the session of the run. The server frees it when the session ends, however it ends. */
export class PgSessionLock implements MigrationLock {
  readonly kind = 'session';
  readonly #database: Database;
  readonly #session: MigrationSession;
  readonly #id: string;
  readonly #label: string;
  readonly #clock: Clock;
  readonly #deployer: Deployer;

  constructor(
    session: MigrationSession,
    options: { database: Database; id: bigint; label: string; clock: Clock; deployer: Deployer },
  ) {
    this.#session = session;
    this.#database = options.database;
    this.#id = String(options.id);
    this.#label = options.label;
    this.#clock = options.clock;
    this.#deployer = options.deployer;
  }

  /** As the contract says, and `InvalidOptionsError` behind a pooler in transaction mode. */
  async acquire(options: AcquireLockOptions): Promise<void> {
    await refuseSharedSessions(this.#database, this.#session);
    await this.announce(undefined);
    await pollLock(
      {
        label: this.#label,
        clock: this.#clock,
        tryAcquire: () => this.#ask(TAKE),
        holder: () => this.holder(),
      },
      options,
    );
  }

  async assertHeld(when: WhenSent = 'now'): Promise<void> {
    const { lost } = this.#session;
    if (lost) throw this.#lost(`its session is gone (${lost.message})`, lost);
    if (when === 'with what is next') {
      // No number is made of the text, and the error repeats it. Of a text alone the planner would try to.
      this.#session.defer({
        text: `SELECT CASE WHEN ${IS_HELD} THEN 0 ELSE ('${NOT_HELD}' || pg_backend_pid())::int END`,
        values: [this.#id],
        explain: (error) => (error.message.includes(NOT_HELD) ? this.#gone(error) : undefined),
      });
      return;
    }
    if (!(await this.#ask(IS_HELD))) throw this.#gone();
  }

  async announce(migration: string | undefined, when: WhenSent = 'now'): Promise<void> {
    const label = deployerLabel(this.#deployer, migration);
    // The SELECT would take a snapshot in the migration's transaction, which may begin with SET TRANSACTION.
    if (when === 'with what is next')
      this.#session.defer({ text: 'SET application_name = $1', values: [label] });
    else
      await this.#session
        .query("SELECT set_config('application_name', $1, false)", [label])
        .catch(() => undefined);
  }

  async release(): Promise<void> {
    await this.#session.query(GIVE_BACK, [this.#id]).catch(() => undefined);
  }

  async holder(): Promise<LockHolder | undefined> {
    const [found] = await this.#session.query<{
      pid: number;
      user: string | null;
      application: string | null;
      address: string | null;
      since: Date | null;
    }>(
      `SELECT l.pid, a.usename AS user, a.application_name AS application, host(a.client_addr) AS address,
              a.backend_start AS since
         FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE ${HELD}`,
      [this.#id],
    );
    if (!found) return undefined;
    // Of other users' sessions a user without pg_read_all_stats sees neither address nor start.
    return {
      backendId: found.pid,
      ...(found.address !== null && { host: found.address }),
      ...readDeployerLabel(found.application ?? ''),
      ...(found.user !== null && { user: found.user }),
      ...(found.since !== null && { since: found.since }),
    };
  }

  endFormer(session: MigrationSession, backendId: number): Promise<boolean> {
    return untilEnded(async () => {
      const held = await session.query(
        `SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE ${HELD} AND l.pid = $2::int`,
        [this.#id, backendId],
      );
      return held.length === 0;
    });
  }

  async forceUnlock(): Promise<TakenLock | undefined> {
    const holder = await this.holder();
    if (holder?.backendId !== undefined)
      await this.#session
        .query('SELECT pg_terminate_backend($1::int)', [holder.backendId])
        .catch((error: unknown) => refuseUnlock(error, 'GRANT pg_signal_backend TO the user'));
    return holder && { holder, isCutOff: holder.backendId !== undefined };
  }

  async #ask(question: string): Promise<boolean> {
    const [row] = await this.#session.query<{ yes: boolean }>(`SELECT ${question} AS yes`, [this.#id]);
    return row?.yes === true;
  }

  #gone(cause?: Error): LockLostError {
    return this.#lost(
      'the session does not hold it any more: a pooler in transaction mode gives each transaction another one, or a migration called pg_advisory_unlock_all()',
      cause,
    );
  }

  #lost(why: string, cause?: Error): LockLostError {
    return lockLost(this.#label, why, cause);
  }
}
