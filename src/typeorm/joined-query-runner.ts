import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import {
  type AmbientScope,
  currentFrame,
  frameNaming,
  type HandWords,
  HandWrittenTransactions,
  runInFrame,
  StaleLeaseError,
} from '../connection/index.js';
import { HoldfastError } from '../core/index.js';
import type { QueryRunnerConstructor, QueryRunnerInternals } from './typeorm-types.js';

/** What a QueryRunner inside a transaction needs of the transaction. */
export interface JoinedTransaction {
  /** The scope that the running call belongs to. */
  readonly scope: AmbientScope & { setRollbackOnly(reason: object): void };
  /** What a QueryRunner gives to subscribers that was given no data of its own. */
  readonly data: object;
  /** The transaction's connection, once its subscribers have heard of the start. */
  connect(client: object | undefined): Promise<object>;
  /** A client of the transaction for a QueryRunner that begins transactions by hand. */
  clientFor(handWritten: HandWrittenTransactions): object;
}

/** Makes the QueryRunners of one data source inside transactions. */
export type JoinedQueryRunnerConstructor = new (transaction: JoinedTransaction) => QueryRunnerInternals;

const WORDS: HandWords = {
  label: 'a hand-written QueryRunner transaction',
  begin: 'BEGIN',
  where: 'on this QueryRunner',
};

/** How nearly every statement begins, and none that begins or ends a transaction: what that is, the drivers know. */
const ORDINARY = /^\s*(?:select|insert|update|delete|with)\b/i;

/**
 * The driver's own QueryRunner, as `createQueryRunner()` answers it inside a transaction: on the transaction's
 * connection, which it believes open, with manager, subscriber data and life of its own. Releasing it gives nothing
 * back, and a transaction that is begun on it by hand is a savepoint.
 */
export function joinedQueryRunnerOf(
  dataSource: DataSource,
  createManager: (runner: QueryRunner) => EntityManager,
): JoinedQueryRunnerConstructor {
  const { driver } = dataSource;
  const Base = driver.createQueryRunner('master').constructor as QueryRunnerConstructor;

  class JoinedQueryRunner extends Base {
    readonly #transaction: JoinedTransaction;
    #manager: EntityManager | undefined;
    #data: object | undefined;
    #handWritten: HandWrittenTransactions | undefined;
    /** The client of {@link #handWritten}: what is asked for through it belongs to them. */
    #client: object | undefined;
    /** Whether TypeORM is asking for the client of an ordinary statement. */
    #ordinary = false;

    constructor(transaction: JoinedTransaction) {
      super(driver, 'master');
      this.#transaction = transaction;
      this.isTransactionActive = true;
      this.transactionDepth = 1;
    }

    get manager(): EntityManager {
      return (this.#manager ??= createManager(this as unknown as QueryRunner));
    }

    /** TypeORM's EntityManager sets it when it is made for a QueryRunner. */
    set manager(manager: EntityManager) {
      this.#manager = manager;
    }

    get data(): object {
      return this.#data ?? this.#transaction.data;
    }

    /** `save(entity, { data })` sets it for one call. TypeORM's constructor, which runs before ours, sets an empty object. */
    set data(data: object) {
      if (#data in this) this.#data = data;
    }

    /** The client that all QueryRunners share for an ordinary statement, its own for whoever could begin a transaction on it. */
    override connect(): Promise<object> {
      if (!this.#ordinary) this.#ownTransactions();
      return this.#transaction.connect(this.#client);
    }

    override query(...args: unknown[]): Promise<unknown> {
      this.#ordinary = ORDINARY.test(args[0] as string);
      // TypeORM asks for the client before it waits for anything.
      const result = super.query(...args);
      this.#ordinary = false;
      return result.catch(unwrapHoldfastError);
    }

    override async startTransaction(isolationLevel?: string): Promise<void> {
      if (this.isReleased) {
        throw new StaleLeaseError(
          'startTransaction() was called on a QueryRunner after its release. Create a new one, and release it in a finally block.',
        );
      }
      this.isTransactionActive = true;
      await this.#ownTransactions().begin(this.#transaction.scope, { isolationLevel, readOnly: false });
    }

    // Code that asks `isTransactionActive` and so begins none of its own joins: the commit is its owner's.
    override async commitTransaction(): Promise<void> {
      await this.#end('release');
    }

    override async rollbackTransaction(): Promise<void> {
      if (await this.#end('rollback')) return;
      const by = 'a hand-written QueryRunner';
      this.#transaction.scope.setRollbackOnly({ by, cause: undefined, requested: false });
    }

    override release(): Promise<void> {
      this.isReleased = true;
      return this.#handWritten?.rollBackAll(this.#transaction.scope) ?? Promise.resolve();
    }

    override [Symbol.asyncDispose](): Promise<void> {
      return this.release();
    }

    #ownTransactions(): HandWrittenTransactions {
      if (!this.#handWritten) {
        this.#handWritten = new HandWrittenTransactions(WORDS);
        this.#client = this.#transaction.clientFor(this.#handWritten);
      }
      return this.#handWritten;
    }

    async #end(how: 'release' | 'rollback'): Promise<boolean> {
      const ended = await this.#handWritten?.end(how, this.#transaction.scope);
      if (!ended) return false;
      // After a transaction of its own it tells of that one, as hand-written code expects.
      this.isTransactionActive = this.#handWritten!.any;
      return true;
    }
  }
  return JoinedQueryRunner as unknown as JoinedQueryRunnerConstructor;
}

/**
 * For a QueryRunner made outside: its statements are part of a transaction that it is first used in all the same. Messages
 * call its own transactions as they call those of one that was made inside.
 */
export function unwrapErrorsOf(runner: QueryRunner): QueryRunner {
  const start = runner.startTransaction.bind(runner);
  const startTransaction: typeof start = (level) =>
    runInFrame(frameNaming(WORDS.label, currentFrame()), () => start(level));
  const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
  const unwrapping = (...args: unknown[]): Promise<unknown> => query(...args).catch(unwrapHoldfastError);
  return Object.assign(runner, { query: unwrapping, startTransaction });
}

/** TypeORM wraps whatever a driver throws; an error of ours has its own name and code, and says so better unwrapped. */
function unwrapHoldfastError(error: unknown): never {
  const { driverError } = error as { driverError?: unknown };
  throw driverError instanceof HoldfastError ? driverError : error;
}
