import { cancelUntil } from '../../core/index.js';
import type { MigrationSession } from '../database/session.js';
import { ScriptProblem } from './script-problem.js';

interface Signals {
  /** At the boundary of a statement. */
  readonly stop?: AbortSignal | undefined;
  /** At once. */
  readonly cancel?: AbortSignal | undefined;
  /** At once, and of one script alone. */
  readonly recall?: AbortSignal | undefined;
}

/** How a run is asked to stop. */
export class RunSignals {
  readonly #stop: AbortSignal | undefined;
  readonly #cancel: AbortSignal | undefined;
  readonly #recall: AbortSignal | undefined;
  /** How many statements are being waited for by {@link ending}, in all of the run. */
  readonly #ended: { waiting: number };

  constructor({ stop, cancel, recall }: Signals, ended = { waiting: 0 }) {
    this.#stop = stop;
    this.#cancel = cancel;
    this.#recall = recall;
    this.#ended = ended;
  }

  /** Those of one script that can be cancelled by itself. */
  recalledBy(recall: AbortSignal): RunSignals {
    return new RunSignals({ stop: this.#stop, cancel: this.#cancel, recall }, this.#ended);
  }

  /** Aborted as soon as the run is asked to end, one way or the other. */
  get either(): AbortSignal {
    return AbortSignal.any([this.#stop, this.#cancel].filter((signal) => signal !== undefined));
  }

  get isAborted(): boolean {
    return this.#stop?.aborted === true || this.#cancel?.aborted === true;
  }

  /** Throws at the boundary of a statement once the run was asked to stop. */
  check(): void {
    if (this.isAborted) throw interrupted();
  }

  /** What an error is that came of the run being cancelled; `undefined` where it was not. */
  cancelled(cause?: unknown): ScriptProblem | undefined {
    return this.#isCancelled ? interrupted(cause) : undefined;
  }

  /** Throws where a statement was ended since the run was cancelled. */
  checkCancelled(cause?: unknown): void {
    const problem = this.cancelled(cause);
    if (problem) throw problem;
  }

  /** Has the server end what the session runs when the run is cancelled. Returns what takes that back. */
  cancels(session: MigrationSession): () => void {
    const cancel = this.#cancel;
    if (cancel === undefined) return () => {};
    const onAbort = (): void => {
      if (this.#ended.waiting === 0) void session.cancel();
    };
    cancel.addEventListener('abort', onAbort);
    return () => cancel.removeEventListener('abort', onAbort);
  }

  /**
   * Settles as `running` does, which the session runs; once the run is cancelled the server is asked to end it, until it has.
   * Nothing that is sent after it is hit by a request that came too late.
   */
  async ending<T>(running: Promise<T>, session: MigrationSession): Promise<T> {
    const signals = [this.#cancel, this.#recall].filter((signal) => signal !== undefined);
    let cancelling: Promise<void> | undefined;
    const onAbort = (): void => void (cancelling ??= cancelUntil(running, session));
    this.#ended.waiting++;
    for (const signal of signals) signal.addEventListener('abort', onAbort);
    if (this.#isCancelled) onAbort();
    try {
      return await running;
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
      await cancelling;
      this.#ended.waiting--;
    }
  }

  get #isCancelled(): boolean {
    return this.#cancel?.aborted === true || this.#recall?.aborted === true;
  }
}

function interrupted(cause?: unknown): ScriptProblem {
  return new ScriptProblem('the run was asked to stop', {
    kind: 'interrupted',
    next: 'Run `up` again to go on.',
    cause,
  });
}
