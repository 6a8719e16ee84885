import type {
  AmbientScope,
  ManualModes,
  ManualOpening,
  ManualSavepoint,
  SessionWork,
} from './ambient-scope.js';
import type { Frame } from './context.js';
import { TestTransactionError } from './errors.js';
import type { SavepointSession } from './savepoint-part.js';
import type { CommitAnswer, Session } from './session.js';

/** What lets an autocommit scope have its turn on the shared connection. */
export interface TurnGiver {
  /** The connection itself, for what needs no turn. */
  connection(): Promise<Session>;
  enter(name: string, frame: Frame | undefined): Promise<SavepointSession>;
}

/**
 * A connection outside any transaction of the application, as it looks on a shared one: each statement commits by
 * itself, and a failing one undoes nothing but itself; between a BEGIN and its COMMIT everybody else waits.
 */
export class AutocommitScope implements AmbientScope {
  readonly name = 'no transaction';
  readonly autocommit = true;
  readonly closed = false;
  readonly #turns: TurnGiver;
  readonly #frame: Frame | undefined;
  /** What was asked of this connection last: statements run in the order of asking. */
  #last: Promise<unknown> = Promise.resolve();
  /** Between BEGIN and COMMIT. */
  #open: SavepointSession | undefined;

  constructor(turns: TurnGiver, frame: Frame | undefined) {
    this.#turns = turns;
    this.#frame = frame;
  }

  /** No other scope is part of it. */
  get transaction(): object {
    return this;
  }

  connect(): Promise<Session> {
    return this.#turns.connection();
  }

  submit<T>(work: SessionWork<T>): Promise<T> {
    const { commitsImplicitly } = work;
    if (commitsImplicitly) return Promise.reject(wouldCommitTest(commitsImplicitly));
    return this.#inOrder(() => (this.#open ? work.run(this.#open, []) : this.#autocommit(work)));
  }

  beginManual({ label, ...modes }: ManualOpening): ManualSavepoint {
    return {
      begun: this.#inOrder(async () => {
        // A second BEGIN is no error to PostgreSQL, and its COMMIT ends the whole.
        this.#open ??= await this.#begin(label, modes);
      }),
      release: () => this.#end('commit'),
      rollback: () => this.#end('rollback'),
    };
  }

  async #begin(name: string, modes: ManualModes): Promise<SavepointSession> {
    const session = await this.#turns.enter(name, this.#frame);
    try {
      await session.begin(modes);
    } catch (error) {
      await session.leave();
      throw error;
    }
    return session;
  }

  async #autocommit<T>(work: SessionWork<T>): Promise<T> {
    const session = await this.#begin('a statement outside a transaction', {
      isolationLevel: undefined,
      readOnly: false,
    });
    try {
      const result = await work.run(session, []);
      refuseFailure(await session.commit());
      return result;
    } finally {
      await session.leave();
    }
  }

  #end(how: 'commit' | 'rollback'): Promise<void> {
    return this.#inOrder(async () => {
      const session = this.#open;
      if (!session) return;
      this.#open = undefined;
      try {
        if (how === 'commit') refuseFailure(await session.commit());
      } finally {
        await session.leave();
      }
    });
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** The error of a statement before which the server would commit a shared transaction. */
export function wouldCommitTest(statement: string): TestTransactionError {
  return new TestTransactionError(
    `${statement} makes the server commit the transaction before it, which is the one that rollbackPerTest() opened; it was not sent. ` +
      'Run it before the tests (in beforeAll), or test it without rollbackPerTest().',
  );
}

function refuseFailure(answer: CommitAnswer): void {
  if (answer.kind !== 'committed' && answer.error) throw answer.error;
}
