import { logFailedHook } from './hooks.js';

/** An ORM that takes part in a transaction and wants to hear of its boundary. */
export interface Participant {
  /** Before COMMIT, while statements still run. A failure rolls back. */
  beforeCommit?(): Promise<void> | undefined;
  /** Failures of these are logged: the outcome stands. */
  afterCommit?(): Promise<void> | undefined;
  beforeRollback?(): Promise<void> | undefined;
  afterRollback?(): Promise<void> | undefined;
}

/** The participants of one transaction, in the order in which they joined. */
export class Participants {
  readonly #byKey = new Map<object, Participant>();

  get empty(): boolean {
    return this.#byKey.size === 0;
  }

  /** The participant of `key`, made at its first use in this transaction. */
  of<P extends Participant>(key: object, create: () => P): P {
    let participant = this.#byKey.get(key) as P | undefined;
    if (!participant) {
      participant = create();
      this.#byKey.set(key, participant);
    }
    return participant;
  }

  async beforeCommit(): Promise<void> {
    for (const participant of this.#byKey.values()) {
      const preparing = participant.beforeCommit?.();
      if (preparing) await preparing;
    }
  }

  async tell(moment: 'afterCommit' | 'beforeRollback' | 'afterRollback', transaction: string): Promise<void> {
    const completion = moment === 'afterCommit' ? 'committed' : 'rolled back';
    for (const participant of this.#byKey.values()) {
      try {
        const telling = participant[moment]?.();
        if (telling) await telling;
      } catch (error) {
        logFailedHook(error, completion, { moment, transaction });
      }
    }
  }
}
