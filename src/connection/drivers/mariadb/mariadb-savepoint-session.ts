import type { ManualModes } from '../../ambient-scope.js';
import { wouldCommitTest } from '../../autocommit-scope.js';
import { SavepointPart, type SavepointSession, type SharedConnection } from '../../savepoint-part.js';
import type { CommitAnswer, SessionStatus } from '../../session.js';
import type { Turn } from '../../turns.js';
import { controlPart, isToBeSent } from '../mysql/mysql-shared-transaction.js';
import { MariadbSession, type MariadbStatement } from './mariadb-session.js';
import { answerWithoutServer } from './mariadb-transaction-connection.js';

/** A {@link MariadbSession} that is part of a shared transaction. */
export class MariadbSavepointSession extends MariadbSession implements SavepointSession {
  readonly refuseImplicitCommit = wouldCommitTest;
  readonly #part: SavepointPart;

  constructor(connection: SharedConnection<MariadbSession>, turn: Turn) {
    const { connection: native, cutOff } = connection.session;
    super(native, { onRest: () => {}, cutOff });
    this.#part = new SavepointPart(connection, turn, {
      session: this,
      status: () => super.status(),
      control: (text) => super.control(text),
      cancel: () => super.cancel(),
      hasEnded: () => super.status() === 'idle',
    });
  }

  override status(): SessionStatus {
    return this.#part.status();
  }

  override async run<T>(statement: MariadbStatement<T>, prefix: readonly string[]): Promise<T> {
    for (const text of prefix) await this.control(text);
    // A statement that is not sent has no rows.
    if (!(await isToBeSent(this.#part, statement.text))) return answerWithoutServer() as T;
    return this.#part.inTurn(() => super.run(statement, []));
  }

  override control(text: string): Promise<void> {
    return controlPart(this.#part, text);
  }

  begin(modes: ManualModes): Promise<void> {
    return this.#part.begin(modes);
  }

  override commit(): Promise<CommitAnswer> {
    return this.#part.commit();
  }

  leave(): Promise<void> {
    return this.#part.leave();
  }

  override cancel(): Promise<void> {
    return this.#part.cancel();
  }
}
