import type { AmbientScope } from '../../ambient-scope.js';
import { ambientScope } from '../../context.js';
import { LeaseReleasedError, TransactionControlError } from '../../errors.js';
import {
  type HandWords,
  HandWrittenTransactions,
  isCarriedOut,
  type ManualControl,
  type ManualTransactions,
} from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import { currentSharing } from '../../sharing.js';
import type { TestLoan } from '../../test-loan.js';
import type { MysqlControl } from './mysql-control.js';

const WORDS: HandWords = {
  label: 'a hand-written START TRANSACTION',
  begin: 'START TRANSACTION',
  where: 'on this connection',
};

/** The part of a connection that is lent inside a transaction which is the same for both drivers. */
export class LentConnection {
  readonly handWritten: ManualTransactions;
  readonly #managed: ManagedPool;
  readonly #bound: AmbientScope;
  /** What notes it, where it is lent in the transaction of a test alone. */
  loan: TestLoan | undefined;
  #released = false;

  constructor(managed: ManagedPool, bound: AmbientScope, handWritten?: ManualTransactions) {
    this.#managed = managed;
    this.#bound = bound;
    this.handWritten = handWritten ?? new HandWrittenTransactions(WORDS);
  }

  /** A captured connection used in a nested scope of the same transaction belongs to that scope, as anything run there. */
  get scope(): AmbientScope {
    const ambient = ambientScope(this.#managed.source);
    return ambient?.transaction === this.#bound.transaction ? ambient : this.#bound;
  }

  /** Gives nothing back; a hand-written transaction that is still open is rolled back, as the server would do. */
  release(): void {
    if (this.#released) {
      throw new LeaseReleasedError(
        'A connection was released that had already been released to the pool. It was lent inside a transaction, ' +
          'which keeps its connection until its method returns. Release once, in a finally block.',
      );
    }
    this.#released = true;
    this.loan?.end();
    this.handWritten.rollBackAll(this.scope).catch(() => {});
  }

  /** A method that would end the connection's life. */
  refuse(method: string): never {
    throw new TransactionControlError(
      `connection.${method}() inside a transaction would end it behind its owner's back; it was not sent. The pool owns the connection's life.`,
    );
  }

  /** Whether it is carried out here. Throws {@link TransactionControlError} for locks that would outlive the transaction. */
  carriesOut(control: MysqlControl): control is ManualControl {
    if (control.verb !== 'commit implicitly') return isCarriedOut(control, this.scope);
    // To a transaction that a test shares it is one of those that would commit the test.
    const isShared = (): boolean => currentSharing()?.of(this.#managed.source) !== undefined;
    if (control.locks && !this.scope.autocommit && !isShared()) throw refusalOfLocks(control.statement);
    return false;
  }

  /** Carries out what is not sent as it is. */
  control(control: ManualControl): Promise<void> {
    return this.handWritten.carryOut(control, this.scope);
  }
}

function refusalOfLocks(statement: string): TransactionControlError {
  return new TransactionControlError(
    `${statement} locks for its session and not for a transaction: the server commits for it, and the transaction that begins behind it ends the lock, ` +
      'or the pool would lend the connection on with it. It was not sent, and allowImplicitCommit does not allow it. Lock rows with SELECT … FOR UPDATE, ' +
      'or a name with GET_LOCK() and RELEASE_LOCK(); or send it, and what ends it, outside of a transaction on one connection of pool.getConnection().',
  );
}
