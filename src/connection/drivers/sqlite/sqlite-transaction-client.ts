import { type AmbientScope, refuseEnd } from '../../ambient-scope.js';
import { ambientScope } from '../../context.js';
import { HandWrittenTransactions } from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import { firstWordOf, readControl } from './sqlite-control.js';
import type { SqliteSession } from './sqlite-session.js';

/**
 * What an ORM's driver asks for its turn on the connection inside a transaction: each statement goes to the
 * transaction's queue, and BEGIN, COMMIT and ROLLBACK become a savepoint.
 */
export class SqliteTransactionClient {
  readonly #managed: ManagedPool;
  readonly #bound: AmbientScope;
  readonly #handWritten: HandWrittenTransactions;

  constructor(managed: ManagedPool, scope: AmbientScope, handWritten?: HandWrittenTransactions) {
    this.#managed = managed;
    this.#bound = scope;
    this.#handWritten = handWritten ?? new HandWrittenTransactions('a hand-written BEGIN');
  }

  /** Takes the transaction's connection without a statement. */
  async connect(): Promise<void> {
    await this.#scope.connect();
  }

  /** Runs `work`, which sends `text`, when it is its turn. `undefined` for BEGIN, COMMIT and ROLLBACK, which are not sent. */
  async run<T>(text: string, work: () => Promise<T>): Promise<T | undefined> {
    const verb = readControl(text);
    if (!verb) {
      return this.#scope.submit({
        text,
        by: this.#handWritten,
        run: (session, prefix) => (session as SqliteSession).run(work, prefix),
      });
    }
    if (verb === 'begin') {
      await this.#handWritten.begin(this.#scope, { isolationLevel: undefined, readOnly: false });
    } else if (!(await this.#handWritten.end(verb === 'commit' ? 'release' : 'rollback', this.#scope))) {
      throw refuseEnd(firstWordOf(text), this.#scope, 'BEGIN here');
    }
    return undefined;
  }

  /** A captured QueryRunner that is used in a nested scope of the same transaction belongs to that scope, as anything run there. */
  get #scope(): AmbientScope {
    const ambient = ambientScope(this.#managed.source);
    return ambient?.transaction === this.#bound.transaction ? ambient : this.#bound;
  }
}
