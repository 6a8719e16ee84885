import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../core/index.js';
import type { Database, MigrationSession } from '../database/session.js';
import { explainDatabaseError } from '../database/explain-error.js';
import { openWithin } from '../database/open-within.js';
import { DatabaseUnreachableError, type LockLostError } from '../errors.js';
import type { Deployer } from './deployer.js';
import type { AcquireLockOptions, LockHolder, MigrationLock, TakenLock } from './lock.js';
import { lockLost } from './lock-lost.js';
import { endSession, markOf, type SessionMark } from './session-mark.js';
import type { LockTable } from './lock-table.js';
import { pollLock } from './poll-lock.js';

export interface LeaseLockOptions {
  readonly database: Database;
  readonly label: string;
  readonly clock: Clock;
  readonly deployer: Deployer;
  readonly table: LockTable;
  readonly leaseMs: number;
}

/**
 * A row that is ours for `leaseMs` at a time by the server's clock, renewed three times as often over a second connection,
 * for a long statement keeps that of the run busy. It needs no session, so it works behind a pooler in transaction mode and
 * on Galera. A deployer that was thought dead cannot commit any more: {@link assertHeld} locks the row in its transaction.
 */
export class LeaseLock implements MigrationLock {
  readonly kind = 'lease';
  readonly #session: MigrationSession;
  readonly #options: LeaseLockOptions;
  /** Of this acquisition, so that a later one of the same process is told apart. */
  readonly #owner = randomUUID();
  #token: number | undefined;
  #heart: MigrationSession | undefined;
  #timer: Timer | undefined;
  #beating: Promise<void> = Promise.resolve();
  #stopped = true;

  constructor(session: MigrationSession, options: LeaseLockOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** The number of this acquisition: higher than that of every one before. */
  get fencingToken(): number | undefined {
    return this.#token;
  }

  async acquire(options: AcquireLockOptions): Promise<void> {
    const { label, clock, table } = this.#options;
    await table.prepare();
    const mark = await markOf(this.#session);
    await pollLock(
      { label, clock, tryAcquire: () => this.#tryAcquire(mark), holder: () => this.holder() },
      options,
    );
    this.#stopped = false;
    try {
      await this.#openHeart();
    } catch (error) {
      await this.release();
      throw error;
    }
    this.#schedule();
  }

  async assertHeld(): Promise<void> {
    const { lost } = this.#session;
    if (lost) throw this.#lost(`its session is gone (${lost.message})`, lost);
    if (!(await this.#options.table.holdFast(this.#owner)))
      throw this.#lost(
        `no heartbeat came for ${this.#options.leaseMs} ms and another deployer took it over, or somebody took it away`,
      );
  }

  async announce(migration: string | undefined): Promise<void> {
    // The row says it at once through the other connection, whatever transaction this one is in.
    const heart = this.#heart ?? this.#session;
    await this.#options.table
      .through(heart)
      .announce(this.#owner, migration)
      .catch(() => undefined);
  }

  async release(): Promise<void> {
    this.#stopped = true;
    this.#timer?.clear();
    await this.#beating;
    const heart = this.#heart;
    this.#heart = undefined;
    const through = !heart || heart.lost ? this.#session : heart;
    await this.#options.table
      .through(through)
      .free(this.#owner)
      .catch(() => undefined);
    await heart?.end();
  }

  async holder(): Promise<LockHolder | undefined> {
    const row = await this.#options.table.row();
    return row && !row.isExpired ? row.holder : undefined;
  }

  async forceUnlock(): Promise<TakenLock | undefined> {
    const row = await this.#options.table.row();
    if (!row) return undefined;
    const { session, owner, holder } = row;
    // First, for its transaction may hold the row fast.
    const isCutOff = session !== undefined && (await endSession(this.#session, session));
    await this.#options.table.free(owner);
    return { holder, isCutOff };
  }

  async #tryAcquire(session: SessionMark | undefined): Promise<boolean> {
    const { table, deployer, leaseMs } = this.#options;
    try {
      this.#token = await table.claim({ owner: this.#owner, deployer, leaseMs, session });
    } catch (error) {
      // Another deployer claimed it at this moment: Galera, and SERIALIZABLE, tell the second one so.
      const { kind } = explainDatabaseError(error);
      if (kind !== 'deadlock' && kind !== 'lock timeout') throw error;
      return false;
    }
    return this.#token !== undefined;
  }

  async #openHeart(): Promise<void> {
    const { database, clock, leaseMs, label } = this.#options;
    const limitMs = leaseMs / 3;
    this.#heart = await openWithin(database, {
      clock,
      limitMs,
      tooLate: () =>
        new DatabaseUnreachableError(
          `${label} needs a second connection for its heartbeat, and none came within ${Math.round(limitMs)} ms. Give the pool a limit of at least 2, or give a url instead of the pool.`,
        ),
    });
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.#beating = this.#beat();
    }, this.#options.leaseMs / 3);
  }

  /** Never rejects: whether the lease is lost is for the server to say, at the next {@link assertHeld}. */
  async #beat(): Promise<void> {
    try {
      if (!this.#heart || this.#heart.lost) {
        await this.#heart?.end();
        this.#heart = undefined;
        await this.#openHeart();
      }
      await this.#options.table.through(this.#heart!).renew(this.#owner, this.#options.leaseMs);
    } catch {
      // The next beat tries again.
    }
    if (!this.#stopped) this.#schedule();
  }

  #lost(why: string, cause?: Error): LockLostError {
    return lockLost(this.#options.label, why, cause);
  }
}
