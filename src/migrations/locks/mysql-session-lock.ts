import type { Clock } from '../../core/index.js';
import { databaseCodeOf } from '../database/explain-error.js';
import { FAILED, FAILS } from '../database/mysql/failing.js';
import type { MigrationSession, WhenSent } from '../database/session.js';
import type { LockLostError } from '../errors.js';
import type { Journal } from '../history/journal.js';
import type { Deployer } from './deployer.js';
import { refuseUnlock } from './force-unlock.js';
import type { AcquireLockOptions, LockHolder, MigrationLock, TakenLock } from './lock.js';
import { lockLost } from './lock-lost.js';
import type { Inscription, LockRow, LockTable } from './lock-table.js';
import { pollLock } from './poll-lock.js';
import { untilEnded } from './until-ended.js';

export interface MysqlSessionLockOptions {
  /** For `GET_LOCK`. */
  readonly name: string;
  readonly label: string;
  readonly clock: Clock;
  readonly deployer: Deployer;
  /** Where it is said who has the lock, and what runs that writes no row of the journal before. */
  readonly table: LockTable;
  /** Where it is said what runs else. */
  readonly journal: Journal;
}

/** `GET_LOCK` on the session of the run. The server frees it when the session ends, however it ends. */
export class MysqlSessionLock implements MigrationLock {
  readonly kind = 'session';
  readonly #session: MigrationSession;
  readonly #options: MysqlSessionLockOptions;
  /** Whether the row is there that says who has the lock: without the right to create tables it is not. */
  #hasTable = false;
  /** Whether that row names what runs, or ran last. */
  #isNamed = false;

  constructor(session: MigrationSession, options: MysqlSessionLockOptions) {
    this.#session = session;
    this.#options = options;
  }

  async acquire(options: AcquireLockOptions): Promise<void> {
    const { label, clock } = this.#options;
    await pollLock(
      { label, clock, tryAcquire: () => this.#tryAcquire(), holder: () => this.holder() },
      options,
    );
    // Only whoever has the lock creates tables.
    this.#hasTable = await this.#options.table.prepare().then(
      () => true,
      () => false,
    );
    await this.#inscribe({ migration: undefined, since: 'now' }, 'now');
  }

  async assertHeld(when: WhenSent = 'now'): Promise<void> {
    const { lost } = this.#session;
    if (lost) throw this.#lost(`its session is gone (${lost.message})`, lost);
    const { name } = this.#options;
    if (when === 'with what is next') {
      // A SELECT sends a result, and takes the server twice as long.
      this.#session.defer({
        text: `SET @holdfast_held = IF(IS_USED_LOCK(?) = CONNECTION_ID(), 0, ${FAILS})`,
        values: [name],
        explain: (error) => (databaseCodeOf(error) === FAILED ? this.#gone(error) : undefined),
      });
      return;
    }
    const [row] = await this.#session.query<{ held: number | null }>(
      'SELECT IS_USED_LOCK(?) = CONNECTION_ID() AS held',
      [name],
    );
    if (row?.held !== 1) throw this.#gone();
  }

  announce(migration: string | undefined, when: WhenSent = 'now'): Promise<void> {
    return this.#inscribe({ migration, since: 'as it is' }, when);
  }

  async announceStarted(when: WhenSent): Promise<void> {
    // The name of what ran before would be shown again once the rows of the journal are gone.
    if (this.#isNamed) await this.announce(undefined, when);
  }

  async release(): Promise<void> {
    const { table, name } = this.#options;
    if (!this.#session.inTransaction)
      await table.free(this.#owner(this.#session.backendId)).catch(() => undefined);
    await this.#session.query('DO RELEASE_LOCK(?)', [name]).catch(() => undefined);
  }

  async holder(): Promise<LockHolder | undefined> {
    const [used] = await this.#session.query<{ id: number | null }>('SELECT IS_USED_LOCK(?) AS id', [
      this.#options.name,
    ]);
    if (used?.id == null) return undefined;
    const backendId = used.id;
    // What a session wrote that has ended since says nothing of the one that has the lock.
    const row = await this.#options.table.row().catch(() => undefined);
    const said = row?.owner === this.#owner(backendId) ? await this.#saidBy(row, backendId) : undefined;
    const [process] = await this.#session
      .query<{ user: string; address: string }>(
        'SELECT user AS user, host AS address FROM information_schema.processlist WHERE id = ?',
        [backendId],
      )
      .catch(() => []);
    return {
      backendId,
      ...(process && { user: process.user, host: process.address.replace(/:\d+$/, '') }),
      ...said,
    };
  }

  endFormer(session: MigrationSession, backendId: number): Promise<boolean> {
    return untilEnded(async () => {
      const [row] = await session.query<{ held: number | null }>('SELECT IS_USED_LOCK(?) = ? AS held', [
        this.#options.name,
        backendId,
      ]);
      const isHeld = row?.held === 1;
      // ER_NO_SUCH_THREAD: it has ended in between.
      if (isHeld)
        await session.query(`KILL CONNECTION ${backendId}`).catch((error: unknown) => {
          if (databaseCodeOf(error) !== '1094') throw error;
        });
      return !isHeld;
    });
  }

  async forceUnlock(): Promise<TakenLock | undefined> {
    const holder = await this.holder();
    if (holder?.backendId !== undefined) {
      await this.#session
        .query(`KILL CONNECTION ${holder.backendId}`)
        .catch((error: unknown) =>
          refuseUnlock(
            error,
            'GRANT CONNECTION ADMIN ON *.* TO the user (MySQL: CONNECTION_ADMIN; old servers: SUPER)',
          ),
        );
    }
    return holder && { holder, isCutOff: holder.backendId !== undefined };
  }

  async #tryAcquire(): Promise<boolean> {
    const [row] = await this.#session.query<{ got: number | null }>('SELECT GET_LOCK(?, 0) AS got', [
      this.#options.name,
    ]);
    if (row?.got === null)
      throw this.#lost('GET_LOCK answered NULL: the server has no memory for it, or ended the statement');
    return row?.got === 1;
  }

  async #inscribe(
    { migration, since }: Pick<Inscription, 'migration' | 'since'>,
    when: WhenSent,
  ): Promise<void> {
    const { table, deployer } = this.#options;
    const inscription = { owner: this.#owner(this.#session.backendId), deployer, migration, since };
    // It would become a part of the migration's transaction, and nobody else would see it.
    if (when === 'now' && this.#session.inTransaction) return;
    this.#isNamed = migration !== undefined;
    if (when === 'now') await table.inscribe(inscription).catch(() => undefined);
    else if (this.#hasTable) await table.inscribe(inscription, when);
  }

  /** What the row says; where the journal is there and may be read, its word on what runs is the later one. */
  async #saidBy({ holder, since }: LockRow, backendId: number): Promise<LockHolder> {
    const started = await this.#options.journal
      .scriptOf(this.#session, { backendId, since })
      .catch(() => undefined);
    return started === undefined ? holder : { ...holder, migration: started };
  }

  #owner(backendId: number): string {
    return `session ${backendId}`;
  }

  #gone(cause?: Error): LockLostError {
    return this.#lost(
      'the session does not hold it any more: a proxy gave it another connection, or a migration called RELEASE_ALL_LOCKS()',
      cause,
    );
  }

  #lost(why: string, cause?: Error): LockLostError {
    return lockLost(this.#options.label, why, cause);
  }
}
