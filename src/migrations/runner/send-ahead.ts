import { type InFlight, NotRunError } from '../database/session.js';
import type { MigrationTask } from './apply-migration.js';
import { applyAhead } from './apply-script.js';
import { ScriptFailure } from './script-problem.js';
import type { ScriptRun } from './script-run.js';
import type { RunSignals } from './signals.js';

/** What a run that is sent ahead has in place of its own. */
export type AheadRun = Required<Pick<ScriptRun, 'turn' | 'onSent' | 'signals'>>;

interface Sent {
  readonly task: MigrationTask;
  /** How many there were, once it is applied. */
  readonly statements: Promise<number>;
  /** Its turn has come. */
  readonly begin: () => void;
  /** It never comes. */
  readonly abandon: () => void;
  /** Absent for what no ROLLBACK would undo. */
  readonly recall: AbortController | undefined;
}

/**
 * Sends the next small script while the server works on the one before it, which then need not wait for the client: a
 * third of the time of many small ones. The server runs nothing of it where the one before it fails. One is ahead at most.
 */
export class SendAhead {
  readonly #signals: RunSignals;
  /** Of what runs now. */
  #packet: InFlight | undefined;
  /** Of what was sent ahead. */
  #packetAhead: InFlight | undefined;
  #offer: { readonly task: MigrationTask; readonly runFor: (ahead: AheadRun) => ScriptRun } | undefined;
  #sent: Sent | undefined;

  /** What becomes of what was sent ahead, where the run is asked to stop before its turn. */
  readonly #onStop: 'recalled' | 'finished';

  constructor(signals: RunSignals, onStop: 'recalled' | 'finished') {
    this.#signals = signals;
    this.#onStop = onStop;
  }

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

  /**
   * It is the turn of a task: what it was sent behind is applied. Where it was sent ahead, settles as `applyScript()` does, or
   * rejects with `NotRunError`.
   */
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

  /**
   * It would be the turn of what was sent ahead, and the run was asked to stop before: the server is asked to end it. Resolves
   * to whether it is as if it had never been sent; else its outcome is there for {@link take}.
   */
  async recall(): Promise<boolean> {
    const sent = this.#sent;
    if (sent === undefined) return true;
    // DDL that the server commits would be left without what comes after it.
    if (sent.recall === undefined) return false;
    sent.recall.abort();
    sent.begin();
    const isUndone = await sent.statements.then(
      () => false,
      (error: unknown) =>
        error instanceof NotRunError ||
        (error instanceof ScriptFailure && error.effect === 'rolled back' && !error.problem.isLost),
    );
    if (isUndone) this.#sent = undefined;
    return isUndone;
  }

  /** What was sent ahead is not waited for: what is before it has failed. Resolves when nothing of it is left. */
  async abandon(): Promise<void> {
    this.#sent?.abandon();
    await this.#sent?.statements.catch(() => undefined);
    this.#sent = undefined;
    this.#offer = undefined;
    this.#packet = undefined;
  }

  #send(): void {
    if (this.#offer === undefined || this.#packet === undefined || this.#packet.isAnswered) return;
    const { task, runFor } = this.#offer;
    this.#offer = undefined;
    // One goes behind each.
    this.#packet = undefined;
    let begin!: () => void;
    let abandon!: () => void;
    const turn = new Promise<void>((resolve, reject) => {
      begin = resolve;
      abandon = () => reject(new Error(`${task.migration.script} was not begun.`));
    });
    turn.catch(() => undefined);
    const recall = this.#onStop === 'recalled' ? new AbortController() : undefined;
    this.#packetAhead = undefined;
    const run = runFor({
      turn,
      onSent: (packet) => void (this.#packetAhead = packet),
      signals: recall ? this.#signals.recalledBy(recall.signal) : this.#signals,
    });
    if (run.signals.isAborted || run.session.lost) return;
    // From here to the packet it waits for nothing but itself, so that nobody else's statement comes between.
    const statements = applyAhead(run);
    if (statements === undefined) return;
    statements.catch(() => undefined);
    this.#sent = { task, statements, begin, abandon, recall };
  }
}
