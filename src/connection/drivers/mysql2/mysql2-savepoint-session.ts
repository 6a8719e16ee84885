import type { Clock } from '../../../core/index.js';
import type { ManualModes } from '../../ambient-scope.js';
import { wouldCommitTest } from '../../autocommit-scope.js';
import { SavepointPart, type SavepointSession, type SharedConnection } from '../../savepoint-part.js';
import type { CommitAnswer, SessionStatus } from '../../session.js';
import type { Turn } from '../../turns.js';
import { controlPart, isToBeSent } from '../mysql/mysql-shared-transaction.js';
import { Mysql2Session } from './mysql2-session.js';
import { answerWithoutServer, type RecordedCall } from './recorded-call.js';

/** A {@link Mysql2Session} that is part of a shared transaction. */
export class Mysql2SavepointSession extends Mysql2Session implements SavepointSession {
  readonly refuseImplicitCommit = wouldCommitTest;
  readonly #part: SavepointPart;

  constructor(connection: SharedConnection<Mysql2Session>, turn: Turn, clock: Clock) {
    super(connection.session.connection, { clock, onRest: () => {} });
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

  override async run(call: RecordedCall, prefix: readonly string[]): Promise<unknown[]> {
    for (const text of prefix) await this.control(text);
    if (!(await isToBeSent(this.#part, call.command.sql))) return answerWithoutServer(call);
    return this.#part.inTurn(() => super.run(call, []));
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
