import type { AmbientScope } from '../../ambient-scope.js';
import { ambientScope } from '../../context.js';
import { type HandWords, HandWrittenTransactions } from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import { readControl } from './sqlite-control.js';
import type { SqliteSession } from './sqlite-session.js';

const WORDS: HandWords = { label: 'a hand-written BEGIN', begin: 'BEGIN', where: 'here' };

/**
 * What an ORM's driver asks for its turn on the connection inside a transaction: each statement goes to the
 * transaction's queue, and a transaction by hand becomes a savepoint.
 */
export class SqliteTransactionClient {
  readonly #managed: ManagedPool;
  readonly #bound: AmbientScope;
  readonly #handWritten: HandWrittenTransactions;

  constructor(managed: ManagedPool, scope: AmbientScope, handWritten?: HandWrittenTransactions) {
    this.#managed = managed;
    this.#bound = scope;
    this.#handWritten = handWritten ?? new HandWrittenTransactions(WORDS);
  }

  /** Takes the transaction's connection without a statement. */
  async connect(): Promise<void> {
    await this.#scope.connect();
  }

  /** Runs `work`, which sends `text`, when it is its turn. `undefined` for what is not sent as it is: BEGIN, COMMIT and the like. */
  async run<T>(text: string, work: () => Promise<T>): Promise<T | undefined> {
    const control = readControl(text);
    if (!control) {
      return this.#scope.submit({
        text,
        by: this.#handWritten,
        run: (session, prefix) => (session as SqliteSession).run(work, prefix),
      });
    }
    await this.#handWritten.carryOut(control, this.#scope);
    return undefined;
  }

  /** A captured QueryRunner that is used in a nested scope of the same transaction belongs to that scope, as anything run there. */
  get #scope(): AmbientScope {
    const ambient = ambientScope(this.#managed.source);
    return ambient?.transaction === this.#bound.transaction ? ambient : this.#bound;
  }
}
