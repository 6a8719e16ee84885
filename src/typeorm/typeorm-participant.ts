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
  readonly #client: Promise<object>;
  #started: Promise<void> | undefined;

  constructor(dataSource: DataSource, transaction: Transaction, createQueryRunner: () => QueryRunner) {
    this.#dataSource = dataSource;
    this.#transaction = transaction;
    this.#client = Promise.resolve(transaction.source.primary.transactionClient(transaction.root));
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

  beforeCommit(): Promise<void> | undefined {
    return this.#tell('BeforeTransactionCommit');
  }

  afterCommit(): Promise<void> | undefined {
    return this.#end('AfterTransactionCommit');
  }

  beforeRollback(): Promise<void> | undefined {
    return this.#tell('BeforeTransactionRollback');
  }

  afterRollback(): Promise<void> | undefined {
    return this.#end('AfterTransactionRollback');
  }

  /** A QueryRunner that was captured outside a nested scope and is used inside it belongs to that scope. */
  readonly #scope = (): TransactionScope => {
    const ambient = ambientScope(this.#transaction.source) as TransactionScope | undefined;
    return ambient?.transaction === this.#transaction ? ambient : this.#transaction.root;
  };

  #connect(): Promise<object> {
    const scope = this.#scope();
    if (scope.closed) return Promise.reject(scope.closedError());
    if (!this.#hasListeners) {
      this.#started ??= Promise.resolve();
      return this.#client;
    }
    // A subscriber of the start may ask for statements itself; it must not wait for its own end. All others must.
    if (starting.getStore() === this) return this.#client;
    this.#started ??= starting.run(this, () => this.#start());
    return this.#started.then(() => this.#client);
  }

  async #start(): Promise<void> {
    await this.#broadcast('BeforeTransactionStart');
    await this.#broadcast('AfterTransactionStart');
  }

  #end(event: TransactionEvent): Promise<void> | undefined {
    this.#runner.isTransactionActive = false;
    this.#runner.transactionDepth = 0;
    return this.#tell(event);
  }

  #tell(event: TransactionEvent): Promise<void> | undefined {
    return this.#started && this.#hasListeners ? this.#broadcast(event) : undefined;
  }

  #broadcast(event: TransactionEvent): Promise<void> {
    return this.#runner.broadcaster.broadcast(event);
  }

  /** Asked at each event: a subscriber may be added while the application runs. */
  get #hasListeners(): boolean {
    return this.#dataSource.subscribers.length > 0;
  }
}
