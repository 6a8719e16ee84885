import type { StatementOutcome, TogetherAnswer } from '../database/session.js';
import { StatementFailedError } from '../errors.js';
import type { Statement } from '../sql/statement.js';

/** The statements of a script that were sent together, of which one failed or warned: what is known of them is not asked again. */
export class SentTogether {
  readonly #answer: TogetherAnswer;

  constructor(answer: TogetherAnswer) {
    this.#answer = answer;
  }

  /** Whether the server has come to it. */
  has(statement: Statement): boolean {
    const { outcomes, stop } = this.#answer;
    return outcomes.has(statement) || (stop?.statement === statement && stop.error !== undefined);
  }

  /** Of statements that are all known, up to the one that failed: throws as `session.run()` rejects. */
  take(statements: readonly Statement[]): readonly StatementOutcome[] {
    const outcomes: StatementOutcome[] = [];
    for (const [at, statement] of statements.entries()) {
      const outcome = this.#answer.outcomes.get(statement);
      if (outcome === undefined) throw this.#failedAt(at);
      outcomes.push(outcome);
    }
    return outcomes;
  }

  #failedAt(at: number): unknown {
    const error = this.#answer.stop?.error;
    if (!(error instanceof StatementFailedError)) return error;
    const { message, offset, retryable, cause } = error;
    return new StatementFailedError(message, { at, offset, retryable, cause });
  }
}
