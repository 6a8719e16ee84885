import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { isInTransaction, type SqlitePool, type SqliteTransactionClient } from '../connection/index.js';
import type { JoinedQueryRunnerConstructor, JoinedTransaction } from './joined-query-runner.js';
import type { QueryRunnerConstructor, SqliteDriverLike } from './typeorm-types.js';

type Lease = Awaited<ReturnType<SqlitePool['take']>>;
type Joined = new (transaction: JoinedTransaction) => InstanceType<QueryRunnerConstructor>;

/** What the QueryRunners of a data source on SQLite need of it. */
export interface SqliteSource {
  readonly dataSource: DataSource;
  pool(): SqlitePool;
  /** The transaction's QueryRunner, where the running call is in one. */
  join(): QueryRunner | undefined;
  createManager(runner: QueryRunner): EntityManager;
}

/**
 * TypeORM has one connection and one QueryRunner for all who use an SQLite data source, and so one transaction: what
 * several do at once is mixed. These QueryRunners take turns instead.
 */
export class SqliteQueryRunners {
  readonly #source: SqliteSource;
  readonly #Outside: new () => QueryRunner;
  /** The statement that the running call is part of: what its subscribers ask for must not wait for its end. */
  readonly #telling = new AsyncLocalStorage<{ over: boolean }>();
  #inserted: Promise<unknown> | undefined;

  constructor(source: SqliteSource) {
    this.#source = source;
    this.#Outside = this.#outsideClass();
  }

  /** A QueryRunner on the transaction's connection. */
  joined(Base: JoinedQueryRunnerConstructor): JoinedQueryRunnerConstructor {
    const { driver, run, isTold } = this;

    class SqliteJoinedQueryRunner extends (Base as unknown as Joined) {
      /** The Database itself. What is asked of it goes past the queue. */
      override async connect(): Promise<object> {
        if (!isTold()) await ((await super.connect()) as SqliteTransactionClient).connect();
        return driver().databaseConnection;
      }

      override async query(text: string, ...rest: unknown[]): Promise<unknown> {
        const send = (): Promise<unknown> => super.query(text, ...rest);
        if (isTold()) return send();
        const client = (await super.connect()) as SqliteTransactionClient;
        return client.run(text, () => run(text, send));
      }
    }
    return SqliteJoinedQueryRunner as unknown as JoinedQueryRunnerConstructor;
  }

  /** A QueryRunner outside any transaction of holdfast: it has the connection from its BEGIN to its COMMIT. */
  outside(): QueryRunner {
    return new this.#Outside();
  }

  #outsideClass(): new () => QueryRunner {
    const source = this.#source;
    const { driver, run, isTold } = this;
    const Base = source.dataSource.driver.createQueryRunner('master').constructor as QueryRunnerConstructor;

    class OutsideQueryRunner extends Base {
      #manager: EntityManager | undefined;
      /** While a transaction of its own is open. */
      #lease: Lease | undefined;
      /** Its statements run one by one, in the order of asking. */
      #last: Promise<unknown> = Promise.resolve();

      constructor() {
        super(source.dataSource.driver, 'master');
      }

      get manager(): EntityManager {
        return (this.#manager ??= source.createManager(this as unknown as QueryRunner));
      }

      /** TypeORM's EntityManager sets it when it is made for a QueryRunner. */
      set manager(manager: EntityManager) {
        this.#manager = manager;
      }

      override query(...args: unknown[]): Promise<unknown> {
        const [text] = args as [string];
        const send = (): Promise<unknown> => super.query(...args);
        if (isTold()) return send();
        return this.#inOrder(async () => {
          // One that was made before the transaction, and is used inside of it.
          if (!this.#lease && source.pool().scopeOfCall()) {
            return (source.join() as unknown as { query(...all: unknown[]): Promise<unknown> }).query(
              ...args,
            );
          }
          this.#lease ??= await source.pool().take();
          try {
            return await run(text, send);
          } finally {
            if (!isInTransaction(driver().databaseConnection)) this.#giveBack();
          }
        });
      }

      override async release(): Promise<void> {
        await this.#inOrder(async () => {
          if (!this.#lease) return;
          this.isTransactionActive = false;
          this.transactionDepth = 0;
          this.#giveBack();
        });
        await super.release();
      }

      #giveBack(): void {
        const lease = this.#lease;
        this.#lease = undefined;
        lease?.release();
      }

      #inOrder<T>(work: () => Promise<T>): Promise<T> {
        const turn = this.#last.then(work);
        this.#last = turn.catch(() => {});
        return turn;
      }
    }
    return OutsideQueryRunner as unknown as new () => QueryRunner;
  }

  private readonly driver = (): SqliteDriverLike =>
    this.#source.dataSource.driver as unknown as SqliteDriverLike;

  /** Whether the running call belongs to a statement that is on its way, as its subscribers do. */
  readonly isTold = (): boolean => this.#telling.getStore()?.over === false;

  /** Sends one statement in its turn. */
  private readonly run = async (text: string, send: () => Promise<unknown>): Promise<unknown> => {
    await this.#inserted;
    const telling = { over: false };
    try {
      return await this.#telling.run(telling, send);
    } finally {
      telling.over = true;
      this.#inserted = this.#readsLastId(text) ? nextTurnOfTheLoop() : undefined;
    }
  };

  /** With sql.js TypeORM asks for the id of an inserted row afterwards: until then nobody may insert another. */
  #readsLastId(text: string): boolean {
    return this.#source.dataSource.options.type === 'sqljs' && /^\s*(?:insert|replace)\b/i.test(text);
  }
}
