import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource, QueryRunner } from 'typeorm';
import { ambientScope } from '../connection/index.js';
import type { Participant, TransactionScope, Transaction } from '../transaction/index.js';
import { handWrittenTransactions, joinQueryRunner, unwrapHoldfastError } from './joined-query-runner.js';
import type { QueryFunction, QueryRunnerInternals, TransactionEvent } from './typeorm-types.js';

/** The participant whose start the running call is part of. */
const starting = new AsyncLocalStorage<TypeormParticipant>();

/**
 * TypeORM's part in one transaction: one QueryRunner on the transaction's connection, which believes its
 * transaction open, and subscribers that hear of the real boundary, once.
 */
export class TypeormParticipant implements Participant {
  readonly #dataSource: DataSource;
  readonly #transaction: Transaction;
  readonly #runner: QueryRunnerInternals;
  readonly #client: object;
  #started: Promise<void> | undefined;

  constructor(dataSource: DataSource, transaction: Transaction, createQueryRunner: () => QueryRunner) {
    this.#dataSource = dataSource;
    this.#transaction = transaction;
    this.#client = transaction.source.primary.transactionClient(transaction.root);
    this.#runner = createQueryRunner() as QueryRunnerInternals;
    const { query } = this.#runner as { query: QueryFunction };
    Object.assign(this.#runner, handWrittenTransactions(this.#runner, this.#scope), {
      isTransactionActive: true,
      transactionDepth: 1,
      connect: () => this.#connect(),
      query(this: QueryRunner, ...args: unknown[]) {
        return unwrapHoldfastError(() => query.apply(this, args));
      },
    });
  }

  /** The transaction's own QueryRunner: the one that subscribers are given. */
  get runner(): QueryRunner {
    return this.#runner;
  }

  get readOnly(): boolean {
    return this.#transaction.readOnly;
  }

  /** What `createQueryRunner()` answers inside the transaction. */
  join(): QueryRunner {
    return joinQueryRunner(this.#runner, this.#scope);
  }

  async beforeCommit(): Promise<void> {
    if (this.#started) await this.#broadcast('BeforeTransactionCommit');
  }

  async afterCommit(): Promise<void> {
    await this.#end('AfterTransactionCommit');
  }

  async beforeRollback(): Promise<void> {
    if (this.#started) await this.#broadcast('BeforeTransactionRollback');
  }

  async afterRollback(): Promise<void> {
    await this.#end('AfterTransactionRollback');
  }

  /** A QueryRunner that was captured outside a nested scope and is used inside it belongs to that scope. */
  readonly #scope = (): TransactionScope => {
    const ambient = ambientScope(this.#transaction.source) as TransactionScope | undefined;
    return ambient?.transaction === this.#transaction ? ambient : this.#transaction.root;
  };

  async #connect(): Promise<object> {
    const scope = this.#scope();
    if (scope.closed) throw scope.closedError();
    // A subscriber of the start may ask for statements itself; it must not wait for its own end. All others must.
    if (starting.getStore() !== this) await (this.#started ??= starting.run(this, () => this.#start()));
    return this.#client;
  }

  async #start(): Promise<void> {
    await this.#broadcast('BeforeTransactionStart');
    await this.#broadcast('AfterTransactionStart');
  }

  async #end(event: TransactionEvent): Promise<void> {
    this.#runner.isTransactionActive = false;
    this.#runner.transactionDepth = 0;
    if (this.#started) await this.#broadcast(event);
  }

  async #broadcast(event: TransactionEvent): Promise<void> {
    if (this.#dataSource.subscribers.length > 0) await this.#runner.broadcaster.broadcast(event);
  }
}
