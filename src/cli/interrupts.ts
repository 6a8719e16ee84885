import { type Clock, systemClock } from '../core/index.js';
import type { ExitCode } from './exit-codes.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * npm and npx send what they get on to the program, which a terminal has told already: a second signal within this time
 * is the first one again.
 */
const SAME_SIGNAL_MS = 500;

/** Told by {@link Interrupts}, in this order. */
export interface InterruptListener {
  onStop(signal: NodeJS.Signals): void;
  onCancel(): void;
}

/**
 * What Ctrl-C and SIGTERM do while a migration runs: the first ends it at the boundary of a statement, the second
 * cancels the running statement, the third ends the process.
 */
export class Interrupts implements Disposable {
  readonly #stop = new AbortController();
  readonly #cancel = new AbortController();
  readonly #listener: InterruptListener;
  readonly #clock: Clock;
  readonly #handler = (signal: NodeJS.Signals): void => this.#onSignal(signal);
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(listener: InterruptListener, clock: Clock = systemClock) {
    this.#listener = listener;
    this.#clock = clock;
    for (const signal of SIGNALS) process.on(signal, this.#handler);
  }

  get stopSignal(): AbortSignal {
    return this.#stop.signal;
  }

  get cancelSignal(): AbortSignal {
    return this.#cancel.signal;
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#handler);
  }

  #onSignal(signal: NodeJS.Signals): void {
    const now = this.#clock.now();
    if (now - this.#lastAt < SAME_SIGNAL_MS) return;
    this.#lastAt = now;
    if (!this.#stop.signal.aborted) {
      this.#listener.onStop(signal);
      this.#stop.abort();
    } else if (!this.#cancel.signal.aborted) {
      this.#listener.onCancel();
      this.#cancel.abort();
    } else process.exit(3 satisfies ExitCode);
  }
}
