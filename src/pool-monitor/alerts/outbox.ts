import { describeError, type Timer } from '../../core/index.js';
import type { Alert, AlertSink } from './alert.js';
import { backoffMs } from './backoff.js';
import { SinkError } from './errors.js';
import type { DeliveryLimits } from './options.js';
import { ProblemLog } from '../problem-log.js';
import type { Surroundings } from './surroundings.js';

/** `send` tells somebody, `update` changes what was sent. */
export type DeliveryMode = 'send' | 'update';

/** What has become of an alert: `sent`, `waits`, or why not. */
export type OutcomeListener = (outcome: string) => void;

interface Parcel {
  alert: Alert;
  mode: DeliveryMode;
  tries: number;
  onOutcome: OutcomeListener;
}

/**
 * The alerts that wait for one sink: one at a time, in order, each tried a few times. Holds a bounded number of them: a
 * newer one takes the place of an older one with the same key, and what is too much pushes out the oldest. Never throws.
 */
export class Outbox {
  readonly #sink: AlertSink;
  readonly #limits: DeliveryLimits;
  readonly #around: Surroundings;
  readonly #log: ProblemLog;
  readonly #queue: Parcel[] = [];
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #flight: AbortController | undefined;
  /** By the clock. The sink's own wish (`Retry-After`) holds even at shutdown, our own pauses do not. */
  #askedUntil = -Infinity;
  #pauseUntil = -Infinity;
  #state: 'open' | 'flushing' | 'closed' = 'open';

  constructor(sink: AlertSink, limits: DeliveryLimits, around: Surroundings) {
    this.#sink = sink;
    this.#limits = limits;
    this.#around = around;
    this.#log = new ProblemLog({ sink: sink.name });
  }

  /** How many wait, the one in flight included. */
  get size(): number {
    return this.#queue.length + (this.#flight ? 1 : 0);
  }

  put(alert: Alert, mode: DeliveryMode, onOutcome: OutcomeListener): void {
    if (this.#state !== 'open') return onOutcome('dropped: the process is shutting down');
    const waiting = this.#queue.find((parcel) => parcel.alert.key === alert.key);
    if (waiting) {
      waiting.onOutcome('told by a later message');
      waiting.alert = alert;
      waiting.onOutcome = onOutcome;
      if (mode === 'send') waiting.mode = 'send';
    } else {
      this.#queue.push({ alert, mode, tries: 0, onOutcome });
      if (this.#queue.length > this.#limits.queue) this.#drop(this.#queue.shift()!, 'too many wait');
    }
    onOutcome('waits');
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Sends what waits within `flushMs`; what is left then is dropped, and logged. */
  async close(): Promise<void> {
    if (this.#state !== 'open') return this.#running;
    this.#state = 'flushing';
    const timer = this.#around.clock.setTimer(() => {
      this.#state = 'closed';
      this.#flight?.abort(new SinkError('it did not answer before the process shut down'));
      this.#wake?.();
    }, this.#limits.flushMs);
    this.#wake?.();
    await this.#running;
    timer.clear();
    this.#state = 'closed';
  }

  async #run(): Promise<void> {
    // What comes with it in the same turn has time to take its place.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      await this.#pause();
      if (this.#state === 'closed') break;
      const parcel = this.#queue.shift();
      if (parcel) await this.#deliver(parcel);
    }
    for (const parcel of this.#queue.splice(0)) this.#drop(parcel, 'the process shut down');
  }

  async #pause(): Promise<void> {
    for (;;) {
      const until = this.#state === 'open' ? Math.max(this.#askedUntil, this.#pauseUntil) : this.#askedUntil;
      const forMs = until - this.#around.clock.now();
      if (!(forMs > 0) || this.#state === 'closed') return;
      let timer: Timer | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = this.#around.clock.setTimer(resolve, forMs);
      });
      timer?.clear();
      this.#wake = undefined;
    }
  }

  async #deliver(parcel: Parcel): Promise<void> {
    parcel.tries += 1;
    try {
      await this.#attempt(parcel);
      this.#log.works(`Alerts reach ${this.#sink.name} again.`);
      parcel.onOutcome('sent');
      this.#pauseFor(this.#sink.minGapMs ?? 0);
    } catch (error) {
      this.#failed(parcel, error);
    }
  }

  async #attempt({ alert, mode }: Parcel): Promise<void> {
    const flight = new AbortController();
    this.#flight = flight;
    const { timeoutMs } = this.#limits;
    const timer = this.#around.clock.setTimer(
      () => flight.abort(new SinkError(`it did not answer within ${timeoutMs} ms`, { retryable: true })),
      timeoutMs,
    );
    const sink = this.#sink;
    try {
      // A sink that does not heed the signal must not stop the others behind it.
      const cut = new Promise<never>((_, reject) => {
        flight.signal.addEventListener('abort', () => reject(flight.signal.reason as SinkError));
      });
      const sending = (async () =>
        mode === 'update' && sink.update
          ? sink.update(alert, flight.signal)
          : sink.send(alert, flight.signal))();
      await Promise.race([sending, cut]);
    } finally {
      timer.clear();
      this.#flight = undefined;
    }
  }

  #failed(parcel: Parcel, error: unknown): void {
    const isOurs = error instanceof SinkError;
    const reason = isOurs ? error.message : 'it threw an error';
    const fields = isOurs ? {} : { error: describeError(error) };
    this.#log.failed(`Alerts do not reach ${this.#sink.name}: ${reason}.`, fields);
    if (isOurs && error.retryAfterMs !== undefined)
      this.#askedUntil = this.#around.clock.now() + this.#backoff(parcel, error.retryAfterMs);
    if (isOurs && !error.retryable) return parcel.onOutcome(`failed: ${reason}`);
    if (this.#state !== 'open') return this.#drop(parcel, reason);
    if (parcel.tries >= this.#limits.tries)
      return parcel.onOutcome(`failed ${parcel.tries} times: ${reason}`);
    parcel.onOutcome(`waits for try ${parcel.tries + 1}: ${reason}`);
    this.#pauseFor(this.#backoff(parcel, undefined));
    // A later message of the same alert came while this one was tried.
    if (this.#queue.some(({ alert }) => alert.key === parcel.alert.key))
      return parcel.onOutcome('told by a later message');
    this.#queue.unshift(parcel);
  }

  #backoff({ tries }: Parcel, askedMs: number | undefined): number {
    return backoffMs(tries, askedMs, this.#around.random());
  }

  #pauseFor(ms: number): void {
    this.#pauseUntil = this.#around.clock.now() + ms;
  }

  #drop(parcel: Parcel, why: string): void {
    parcel.onOutcome(`dropped: ${why}`);
    this.#log.failed(`Alerts to ${this.#sink.name} are dropped: ${why}.`);
  }
}
