import { cancelUntil } from '../../core/index.js';
import type { MigrationSession } from '../database/session.js';
import { ScriptProblem } from './script-problem.js';

/** How a run is asked to stop. */
export class RunSignals {
  readonly #stop: AbortSignal | undefined;
  readonly #cancel: AbortSignal | undefined;
  #isEnding = false;

  constructor({ stop, cancel }: { stop?: AbortSignal | undefined; cancel?: AbortSignal | undefined }) {
    this.#stop = stop;
    this.#cancel = cancel;
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
    return this.#cancel?.aborted === true ? interrupted(cause) : undefined;
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
      if (!this.#isEnding) void session.cancel();
    };
    cancel.addEventListener('abort', onAbort);
    return () => cancel.removeEventListener('abort', onAbort);
  }

  /**
   * Settles as `running` does, which the session runs; once the run is cancelled the server is asked to end it, until it has.
   * Nothing that is sent after it is hit by a request that came too late.
   */
  async ending<T>(running: Promise<T>, session: MigrationSession): Promise<T> {
    const cancel = this.#cancel;
    if (cancel === undefined) return running;
    let cancelling: Promise<void> | undefined;
    const onAbort = (): void => void (cancelling = cancelUntil(running, session));
    this.#isEnding = true;
    cancel.addEventListener('abort', onAbort);
    if (cancel.aborted) onAbort();
    try {
      return await running;
    } finally {
      cancel.removeEventListener('abort', onAbort);
      await cancelling;
      this.#isEnding = false;
    }
  }
}

function interrupted(cause?: unknown): ScriptProblem {
  return new ScriptProblem('the run was asked to stop', {
    kind: 'interrupted',
    next: 'Run `up` again to go on.',
    cause,
  });
}
