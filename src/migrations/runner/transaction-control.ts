import type { Statement } from '../sql/statement.js';
import { placeIn } from './place.js';
import type { ScriptStatement } from './script.js';
import { ScriptProblem } from './script-problem.js';

const BEGINS = /^(?:BEGIN|START)\b/;
const ENDS = /^(?:COMMIT|END|ROLLBACK|ABORT)\b(?! TO\b)/;

/**
 * Refuses the control of transactions that a file may not have, before anything of it is sent: all of it, or, with
 * `-- no-transaction`, what is no BEGIN … COMMIT.
 */
export class TransactionControl {
  readonly #isAllowed: () => boolean;
  #begun: Statement | undefined;

  /** `isAllowed`: whether the head of the file has said `-- no-transaction`. */
  constructor(isAllowed: () => boolean) {
    this.#isAllowed = isAllowed;
  }

  /** To be called for each statement that controls a transaction, in their order. Throws {@link ScriptProblem}. */
  check({ statement, traits: { command } }: ScriptStatement): void {
    const place = placeIn(statement);
    if (!this.#isAllowed())
      throw new ScriptProblem(`${command} would end or begin the transaction that the migration runs in`, {
        place,
        next: 'Take it out: the whole file is one transaction already. Where it has to control its transactions itself, put the line `-- no-transaction` at its head.',
      });
    if (BEGINS.test(command)) this.#begun = statement;
    else if (!this.#begun)
      throw new ScriptProblem(
        command === 'SET'
          ? 'SET autocommit does not group what follows it'
          : `${command} stands outside of a transaction that the file has begun`,
        {
          place,
          next: 'A file with `-- no-transaction` may hold BEGIN … COMMIT; no other control of transactions.',
        },
      );
    else if (ENDS.test(command)) this.#begun = undefined;
  }

  /** To be called behind the last one. Throws {@link ScriptProblem}. */
  end(): void {
    if (this.#begun)
      throw new ScriptProblem('this BEGIN has no COMMIT in the file', { place: placeIn(this.#begun) });
  }
}
