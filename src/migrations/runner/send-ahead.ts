import type { InFlight } from '../database/session.js';
import type { MigrationTask } from './apply-migration.js';
import { applyInTransaction, isOnePacket } from './apply-in-transaction.js';
import type { ScriptRun } from './script-run.js';

/** What a run that is sent ahead has in place of its own. */
export type AheadRun = Required<Pick<ScriptRun, 'turn' | 'onSent'>>;

interface Sent {
  readonly task: MigrationTask;
  /** How many there were, once it is applied. */
  readonly statements: Promise<number>;
  /** Its turn has come. */
  readonly begin: () => void;
  /** It never comes. */
  readonly abandon: () => void;
}

/**
 * Sends the next small script while the server works on the one before it, which then need not wait for the client: a
 * third of the time of many small ones. The server runs nothing of it where the one before it fails. One is ahead at most.
 */
export class SendAhead {
  /** Of what runs now. */
  #packet: InFlight | undefined;
  /** Of what was sent ahead. */
  #packetAhead: InFlight | undefined;
  #offer: { readonly task: MigrationTask; readonly runFor: (ahead: AheadRun) => ScriptRun } | undefined;
  #sent: Sent | undefined;

  /** What runs now has sent all of itself. */
  follow(packet: InFlight | undefined): void {
    this.#packet = packet;
    this.#send();
  }

  /** What may be sent behind it, once it is read. */
  offer(task: MigrationTask, runFor: (ahead: AheadRun) => ScriptRun): void {
    this.#offer = { task, runFor };
    this.#send();
  }

  /** What is with the server before its turn. */
  get task(): MigrationTask | undefined {
    return this.#sent?.task;
  }

  /** It is the turn of a task. Where it was sent ahead, resolves to what `applyScript()` does; what it was sent behind is over. */
  take(task: MigrationTask): Promise<number> | undefined {
    const sent = this.#sent?.task === task ? this.#sent : undefined;
    this.#offer = undefined;
    this.#sent = undefined;
    this.#packet = undefined;
    if (sent === undefined) return undefined;
    sent.begin();
    this.follow(this.#packetAhead);
    return sent.statements;
  }

  /** What was sent ahead is not waited for: what is before it has failed. Resolves when nothing of it is left. */
  async abandon(): Promise<void> {
    this.#sent?.abandon();
    await this.#sent?.statements.catch(() => undefined);
  }

  #send(): void {
    if (this.#offer === undefined || this.#packet === undefined || this.#packet.isAnswered) return;
    const { task, runFor } = this.#offer;
    this.#offer = undefined;
    let begin!: () => void;
    let abandon!: () => void;
    const turn = new Promise<void>((resolve, reject) => {
      begin = resolve;
      abandon = () => reject(new Error(`${task.migration.script} was not begun.`));
    });
    turn.catch(() => undefined);
    this.#packetAhead = undefined;
    const run = runFor({ turn, onSent: (packet) => void (this.#packetAhead = packet) });
    if (run.signals.isAborted || run.session.lost || !isOnePacket(run)) return;
    // From here to the packet it waits for nothing but itself, so that nobody else's statement comes between.
    const statements = applyInTransaction(run);
    statements.catch(() => undefined);
    this.#sent = { task, statements, begin, abandon };
  }
}
