import type { MigrationSession } from '../database/session.js';
import type { Statement } from '../sql/statement.js';
import { placeIn } from './place.js';
import { ScriptProblem } from './script-problem.js';
import type { ScriptStatement } from './script.js';
import type { StatementSender } from './statement-sender.js';

const WITNESS = 'holdfast_witness';

/** Finds out whether a statement that may commit has done so: a COMMIT takes a savepoint away, whatever is begun after it. */
export class CommitWitness {
  readonly #session: MigrationSession;
  readonly #sender: StatementSender;
  #hasCommitted = false;

  constructor(session: MigrationSession, sender: StatementSender) {
    this.#session = session;
    this.#sender = sender;
  }

  /** Whether what was sent has committed the transaction around it. False where the connection was lost: nobody knows. */
  get hasCommitted(): boolean {
    return this.#hasCommitted;
  }

  /** Sends a statement by itself, for what came behind it might be in no transaction. */
  async send({ statement, traits }: ScriptStatement): Promise<void> {
    await this.#sender.flush();
    this.#session.defer({ text: `SAVEPOINT ${WITNESS}` });
    try {
      await this.#sender.push(statement, traits);
      await this.#sender.flush();
    } finally {
      this.#hasCommitted = !(await this.#isThere());
    }
  }

  #isThere(): Promise<boolean> {
    return this.#session.query(`RELEASE SAVEPOINT ${WITNESS}`).then(
      () => true,
      () => this.#session.lost !== undefined,
    );
  }
}

export function committedProblem(statement: Statement | undefined): ScriptProblem {
  return new ScriptProblem('a statement committed the transaction that it ran in', {
    place: statement && placeIn(statement),
    next: 'What commits by itself can stand in a file with the line `-- no-transaction` at its head: put it there and run `up` again, which goes on after it.',
  });
}
