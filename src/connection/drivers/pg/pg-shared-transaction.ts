import { type Clock, messageOf, systemClock } from '../../../core/index.js';
import type { AmbientScope } from '../../ambient-scope.js';
import { type Frame, runInFrame } from '../../context.js';
import { TestTransactionError } from '../../errors.js';
import { nextLeaseId } from '../../lease.js';
import type { ManagedPool, TransactionHolder, TransactionLease } from '../../managed-pool.js';
import type { SharedEnd, SharedTransaction, SharingOptions } from '../../shared-transaction.js';
import { Turns } from '../../turns.js';
import { PgAutocommitScope } from './pg-autocommit-scope.js';
import { PgSavepointSession, type SharedConnection } from './pg-savepoint-session.js';
import { PgSession } from './pg-session.js';
import type { PgClient, PgPool, PgQuery } from './pg-types.js';

/** How long the ROLLBACK at the end may take before the connection is cut off instead. */
const END_LIMIT_MS = 5000;

/** Its time limits are for the short transactions of an application; the shared one lasts as long as its test. */
const WITHOUT_TIME_LIMITS = `SELECT set_config(name, '0', true) FROM pg_settings
  WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')`;

/**
 * One transaction that is never committed, on a connection of its own beside the pool, so that a pool of one
 * connection, or one that ends meanwhile, makes no difference. It is opened by the first who needs it.
 */
export class PgSharedTransaction implements SharedTransaction {
  readonly #managed: ManagedPool;
  readonly #pool: PgPool;
  readonly #clock: Clock;
  readonly #options: SharingOptions;
  readonly #turns: Turns;
  #opening: Promise<SharedConnection> | undefined;
  #client: PgClient | undefined;
  #failure: Error | undefined;
  #savepoints = 0;

  constructor(managed: ManagedPool, pool: PgPool, { clock, ...options }: SharingOptions & { clock: Clock }) {
    this.#managed = managed;
    this.#pool = pool;
    this.#clock = clock;
    this.#options = options;
    this.#turns = new Turns({
      clock,
      timeoutMs: options.turnTimeoutMs,
      allows: (kind) => options.allow.includes(kind),
    });
  }

  session(frame: Frame | undefined): AmbientScope {
    return new PgAutocommitScope(
      {
        connection: async () => (await this.#open()).session,
        enter: (name, asked) => this.#enter({ name, kind: 'NOT_SUPPORTED', frame: asked }),
      },
      frame,
    );
  }

  async acquire({ name, frame }: TransactionHolder): Promise<TransactionLease> {
    const requestedAt = this.#clock.now();
    const session = await this.#enter({ name, kind: 'REQUIRES_NEW', frame: frame.parent, own: frame });
    return {
      info: {
        id: nextLeaseId(),
        pool: this.#managed.name,
        kind: 'transaction',
        holder: name,
        frame,
        requestedAt,
        acquiredAt: this.#clock.now(),
        backendId: session.backendId,
      },
      session,
      end: () => void session.leave(),
    };
  }

  servesPool(native: object): boolean {
    const there = new (native as PgPool).Client((native as PgPool).options) as PgClientAddress;
    const here = new this.#pool.Client(this.#pool.options) as PgClientAddress;
    return (['host', 'port', 'database', 'user'] as const).every((part) => there[part] === here[part]);
  }

  async end(graceMs: number): Promise<SharedEnd> {
    await within(graceMs, this.#turns.idle());
    const { unfinished } = this.#turns;
    this.#turns.close(
      new TestTransactionError(
        'The test in which this statement was asked for is over, and its transaction rolled back. Await the work inside the test.',
      ),
    );
    if (this.#opening) await within(END_LIMIT_MS, this.#rollBack(this.#opening));
    const { stream } = this.#client?.connection ?? {};
    stream?.destroy();
    return { unfinished, failure: this.#failure };
  }

  async #enter(request: Parameters<Turns['take']>[0]): Promise<PgSavepointSession> {
    const turn = await this.#turns.take(request);
    try {
      return new PgSavepointSession(await this.#open(), turn);
    } catch (error) {
      this.#turns.end(turn);
      throw error;
    }
  }

  #open(): Promise<SharedConnection> {
    // Nobody's context: the connection outlives the call that opens it.
    this.#opening ??= runInFrame(undefined, () => this.#connect());
    return this.#opening;
  }

  async #connect(): Promise<SharedConnection> {
    const { Client, options: poolOptions } = this.#pool;
    const client = new Client(poolOptions);
    this.#client = client;
    client.on('error', () => {});
    await client.connect();
    await poolOptions.onConnect?.(client);
    this.#pool.emit('connect', client);
    const options = { pool: this.#pool, clock: this.#clock, onRest: () => {} };
    const session = new PgSession(client, options);
    const { isolationLevel } = this.#options;
    for (const text of this.#managed.dialect.begin({ isolationLevel, readOnly: false }))
      await session.control(text);
    await session.control(WITHOUT_TIME_LIMITS);
    return {
      session,
      client,
      options,
      turns: this.#turns,
      isolationLevel: await levelOf(session, this.#pool),
      allowsIsolationLevel: this.#options.allow.includes('ISOLATION_LEVEL'),
      nextSavepoint: () => `holdfast_test_${++this.#savepoints}`,
      // What is cut off at the end cannot undo its own part, and need not.
      failed: (error) => (this.#turns.closed ? undefined : this.#failed(error)),
    };
  }

  #failed(error: Error): void {
    this.#failure ??= error;
  }

  async #rollBack(opening: Promise<SharedConnection>): Promise<void> {
    try {
      const { session, client } = await opening;
      await session.cancel();
      await session.control('ROLLBACK');
      session.detach();
      await client.end();
    } catch (error) {
      const why = messageOf(error).replace(/\.$/, '');
      this.#failed(
        new TestTransactionError(
          `The connection of rollbackPerTest() could not be opened, or was lost during the test: ${why}. Nothing was kept; statements after that were refused.`,
          { cause: error },
        ),
      );
    }
  }
}

type PgClientAddress = PgClient & { readonly database: string; readonly user: string };

async function levelOf(session: PgSession, pool: PgPool): Promise<string> {
  const query: PgQuery = new pool.Client.Query('SHOW transaction_isolation');
  const { rows } = (await session.query(query, [])) as { rows: [{ transaction_isolation: string }] };
  return rows[0].transaction_isolation.toUpperCase();
}

/** Resolves as soon as `work` has ended, or after `limitMs` milliseconds. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  let stop = (): void => {};
  const limit = new Promise<void>((resolve) => {
    const timer = systemClock.setTimer(resolve, limitMs);
    stop = () => timer.clear();
  });
  await Promise.race([work, limit]);
  stop();
}
