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

  /** Whether it is carried out here. */
  carriesOut(control: MysqlControl): control is ManualControl {
    return control.verb !== 'commit implicitly' && isCarriedOut(control, this.scope);
  }

  /** Carries out what is not sent as it is. */
  control(control: ManualControl): Promise<void> {
    return this.handWritten.carryOut(control, this.scope);
  }
}
