import { type Clock, messageOf, settledWithin, systemClock } from '../core/index.js';
import type { AmbientScope } from './ambient-scope.js';
import { AutocommitScope } from './autocommit-scope.js';
import { type Frame, runInFrame } from './context.js';
import { TestTransactionError } from './errors.js';
import { type LeaseInfo, nextLeaseId } from './lease.js';
import type { ManagedPool, TransactionHolder, TransactionLease } from './managed-pool.js';
import type { SavepointSession, SharedConnection } from './savepoint-part.js';
import type { Session } from './session.js';
import type { SharedEnd, SharedTransaction, SharingOptions } from './shared-transaction.js';
import { type Turn, Turns } from './turns.js';

/** How long the ROLLBACK at the end may take before the connection is cut off instead. */
const END_LIMIT_MS = 5000;

/**
 * One transaction that is never committed, on a connection of its own: what is the same whichever driver it is of. It
 * is opened by the first who needs it.
 */
export abstract class DriverSharedTransaction<S extends Session> implements SharedTransaction {
  protected readonly managed: ManagedPool;
  protected readonly options: SharingOptions;
  readonly #turns: Turns;
  #opening: Promise<SharedConnection<S>> | undefined;
  #failure: Error | undefined;
  #savepoints = 0;
  #end: Promise<SharedEnd> | undefined;

  constructor(managed: ManagedPool, options: SharingOptions) {
    this.managed = managed;
    this.options = options;
    this.#turns = new Turns({
      clock: managed.clock,
      timeoutMs: options.turnTimeoutMs,
      allows: (kind) => options.allow.includes(kind),
    });
  }

  abstract servesPool(native: object): boolean;

  /** Opens the connection. */
  protected abstract connect(): Promise<S>;
  /** Called in the transaction, before anybody else. Resolves to its isolation level. */
  protected abstract prepare(session: S): Promise<string>;
  protected abstract savepointSession(connection: SharedConnection<S>, turn: Turn): SavepointSession;
  /** Rolls back, and ends the connection. */
  protected abstract close(session: S): Promise<void>;
  /** Cuts off what is left of the connection, or of opening one. */
  protected abstract cutOff(): void;

  protected get clock(): Clock {
    return this.managed.clock;
  }

  session(frame: Frame | undefined): AmbientScope {
    return new AutocommitScope(
      {
        connection: async () => (await this.#open()).session,
        enter: (name, asked) => this.#enter({ name, kind: 'NOT_SUPPORTED', frame: asked }),
      },
      frame,
    );
  }

  async acquire({ name, frame }: TransactionHolder): Promise<TransactionLease> {
    const requestedAt = this.clock.now();
    const session = await this.#enter({ name, kind: 'REQUIRES_NEW', frame: frame.parent, own: frame });
    const info: LeaseInfo = {
      id: nextLeaseId(),
      pool: this.managed.name,
      kind: 'transaction',
      holder: name,
      frame,
      requestedAt,
      acquiredAt: this.clock.now(),
      backendId: session.backendId,
    };
    session.lease = info;
    return { info, session, end: () => void session.leave() };
  }

  end(graceMs: number): Promise<SharedEnd> {
    return (this.#end ??= this.#finish(graceMs));
  }

  async #finish(graceMs: number): Promise<SharedEnd> {
    await settledWithin(systemClock, graceMs, this.#turns.idle());
    const { unfinished } = this.#turns;
    this.#turns.close(
      new TestTransactionError(
        'The test in which this statement was asked for is over, and its transaction rolled back. Await the work inside the test.',
      ),
    );
    if (this.#opening) await settledWithin(systemClock, END_LIMIT_MS, this.#rollBack(this.#opening));
    this.cutOff();
    return { unfinished, failure: this.#failure };
  }

  async #enter(request: Parameters<Turns['take']>[0]): Promise<SavepointSession> {
    const turn = await this.#turns.take(request);
    try {
      return this.savepointSession(await this.#open(), turn);
    } catch (error) {
      this.#turns.end(turn);
      throw error;
    }
  }

  #open(): Promise<SharedConnection<S>> {
    // Nobody's context: the connection outlives the call that opens it.
    this.#opening ??= runInFrame(undefined, () => this.#begin());
    return this.#opening;
  }

  async #begin(): Promise<SharedConnection<S>> {
    const { dialect } = this.managed;
    const { isolationLevel, allow } = this.options;
    const session = await this.connect();
    for (const text of dialect.begin({ isolationLevel, readOnly: false })) await session.control(text);
    return {
      session,
      dialect,
      turns: this.#turns,
      isolationLevel: await this.prepare(session),
      allowsIsolationLevel: allow.includes('ISOLATION_LEVEL'),
      running: undefined,
      nextSavepoint: () => `holdfast_test_${++this.#savepoints}`,
      // What is cut off at the end cannot undo its own part, and need not.
      failed: (error) => (this.#turns.closed ? undefined : this.#failed(error)),
    };
  }

  #failed(error: Error): void {
    this.#failure ??= error;
  }

  async #rollBack(opening: Promise<SharedConnection<S>>): Promise<void> {
    try {
      const { running, session } = await opening;
      await running?.cancel();
      // A driver that cannot cancel closes the connection, and the server rolls back.
      if (running?.lost) return;
      await this.close(session);
    } catch (error) {
      const why = messageOf(error).replace(/\.$/, '');
      this.#failed(
        error instanceof TestTransactionError
          ? error
          : new TestTransactionError(
              `The connection of rollbackPerTest() could not be opened, or was lost during the test: ${why}. Nothing was kept; statements after that were refused.`,
              { cause: error },
            ),
      );
    }
  }
}
