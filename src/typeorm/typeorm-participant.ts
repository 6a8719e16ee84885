import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource, QueryRunner } from 'typeorm';
import { ambientScope, type HandWrittenTransactions } from '../connection/index.js';
import type { Participant, Transaction, TransactionScope } from '../transaction/index.js';
import type { JoinedQueryRunnerConstructor, JoinedTransaction } from './joined-query-runner.js';
import type { QueryRunnerInternals, TransactionEvent } from './typeorm-types.js';

/** The participant whose start the running call is part of. */
const starting = new AsyncLocalStorage<TypeormParticipant>();

/**
 * TypeORM's part in one transaction: QueryRunners on the transaction's connection, and subscribers that hear of the
 * real boundary, once.
 */
export class TypeormParticipant implements Participant, JoinedTransaction {
  data: object = {};
  readonly #dataSource: DataSource;
  readonly #transaction: Transaction;
  readonly #Runner: JoinedQueryRunnerConstructor;
  readonly #client: Promise<object>;
  /** The QueryRunner that subscribers are given at the boundary. */
  #boundary: QueryRunnerInternals | undefined;
  #started: Promise<void> | undefined;

  constructor(dataSource: DataSource, transaction: Transaction, Runner: JoinedQueryRunnerConstructor) {
    this.#dataSource = dataSource;
    this.#transaction = transaction;
    this.#Runner = Runner;
    this.#client = Promise.resolve(transaction.source.primary.transactionClient(transaction.root));
  }

  /** A QueryRunner that subscribers were given is told of the end, also where none of them is left. */
  get unheard(): boolean {
    return !this.#hasListeners && !this.#boundary;
  }

  get readOnly(): boolean {
    return this.#transaction.readOnly;
  }

  /** A QueryRunner that was captured outside a nested scope and is used inside it belongs to that scope. */
  get scope(): TransactionScope {
    const ambient = ambientScope(this.#transaction.source) as TransactionScope | undefined;
    return ambient?.transaction === this.#transaction ? ambient : this.#transaction.root;
  }

  /** What `createQueryRunner()` answers inside the transaction. */
  join(): QueryRunner {
    return new this.#Runner(this);
  }

  clientFor(handWritten: HandWrittenTransactions): object {
    return this.#transaction.source.primary.transactionClient(this.#transaction.root, handWritten);
  }

  connect(own: object | undefined): Promise<object> {
    const { scope } = this;
    if (scope.closed) return Promise.reject(scope.closedError());
    const client = own ? Promise.resolve(own) : this.#client;
    if (!this.#hasListeners) {
      this.#started ??= Promise.resolve();
      return client;
    }
    // A subscriber of the start may ask for statements itself; it must not wait for its own end. All others must.
    if (starting.getStore() === this) return client;
    this.#started ??= starting.run(this, () => this.#start());
    return this.#started.then(() => client);
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

  async #start(): Promise<void> {
    await this.#broadcast('BeforeTransactionStart');
    await this.#broadcast('AfterTransactionStart');
    // What a subscriber of the start leaves for the others is theirs in the whole transaction.
    this.data = this.#boundary!.data;
  }

  #end(event: TransactionEvent): Promise<void> | undefined {
    if (this.#boundary) Object.assign(this.#boundary, { isTransactionActive: false, transactionDepth: 0 });
    return this.#tell(event);
  }

  #tell(event: TransactionEvent): Promise<void> | undefined {
    return this.#started && this.#hasListeners ? this.#broadcast(event) : undefined;
  }

  #broadcast(event: TransactionEvent): Promise<void> {
    this.#boundary ??= new this.#Runner(this);
    return this.#boundary.broadcaster.broadcast(event);
  }

  /** Asked at each event: a subscriber may be added while the application runs. */
  get #hasListeners(): boolean {
    return this.#dataSource.subscribers.length > 0;
  }
}
