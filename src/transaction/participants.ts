import { runInEndOf } from '../connection/index.js';
import { Followers, logFailedHook } from './hooks.js';

/** An ORM that takes part in a transaction and wants to hear of its boundary. */
export interface Participant {
  /** Whether nobody hears of anything, as it is now. Then it is told nothing. Default: somebody may. */
  readonly unheard?: boolean;
  /** Before COMMIT, while statements still run. A failure rolls back. */
  beforeCommit?(): Promise<void> | undefined;
  /** Failures of these are logged: the outcome stands. */
  afterCommit?(): Promise<void> | undefined;
  beforeRollback?(): Promise<void> | undefined;
  afterRollback?(): Promise<void> | undefined;
}

/** The participants of one transaction, in the order in which they joined. */
export class Participants {
  /** Most transactions have none. */
  #byKey: Map<object, Participant> | undefined;
  /** How many were asked to prepare the commit. */
  #asked = 0;
  /** Those that had something to prepare, which is done once. */
  #prepared: Set<Participant> | undefined;

  /** Whether there is nobody to tell of anything, as it is now. */
  get unheard(): boolean {
    if (!this.#byKey) return true;
    for (const participant of this.#byKey.values()) if (!participant.unheard) return false;
    return true;
  }

  /** The participant of `key`, made at its first use in this transaction. */
  of<P extends Participant>(key: object, create: () => P): P {
    let participant = this.#byKey?.get(key) as P | undefined;
    if (!participant) {
      participant = create();
      (this.#byKey ??= new Map()).set(key, participant);
    }
    return participant;
  }

  /** Whether each was asked to prepare the commit, or has nobody to ask. */
  get prepared(): boolean {
    return this.#asked === (this.#byKey?.size ?? 0) || this.unheard;
  }

  /** Lets each prepare the commit that has anything to prepare, and has not done so before. */
  async beforeCommit(): Promise<void> {
    for (const participant of this.#byKey?.values() ?? []) {
      const preparing = this.#prepared?.has(participant) ? undefined : participant.beforeCommit?.();
      if (!preparing) continue;
      (this.#prepared ??= new Set()).add(participant);
      await preparing;
    }
    this.#asked = this.#byKey?.size ?? 0;
  }

  async tell(
    moment: 'afterCommit' | 'beforeRollback' | 'afterRollback',
    of: { readonly name: string },
  ): Promise<void> {
    const completion = moment === 'afterCommit' ? 'committed' : 'rolled back';
    const followers = new Followers();
    for (const participant of this.#byKey?.values() ?? []) {
      try {
        const telling = runInEndOf(of, () => followers.during(() => participant[moment]?.()));
        if (telling) await telling;
      } catch (error) {
        logFailedHook(error, completion, { moment, transaction: of.name });
      }
    }
    const ended = followers.ended();
    if (ended) await ended;
  }
}
