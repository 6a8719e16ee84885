import type { Statement } from '../sql/statement.js';
import { placeIn } from './place.js';
import type { ScriptStatement } from './script.js';
import { ScriptProblem } from './script-problem.js';

const BEGINS = /^(?:BEGIN|START)\b/;
const ENDS = /^(?:COMMIT|END|ROLLBACK|ABORT)\b(?! TO\b)/;

/** The transactions that a file with `-- no-transaction` begins and ends itself, before anything of it is sent. */
export class OwnTransactions {
  #begun: Statement | undefined;

  /** To be called for each statement that controls a transaction, in their order. Throws {@link ScriptProblem}. */
  check({ statement, traits: { command } }: ScriptStatement): void {
    if (BEGINS.test(command)) this.#begun = statement;
    else if (!this.#begun)
      throw new ScriptProblem(
        command === 'SET'
          ? 'SET autocommit does not group what follows it'
          : `${command} stands outside of a transaction that the file has begun`,
        {
          place: placeIn(statement),
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
