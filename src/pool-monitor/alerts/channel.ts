import type { Timer } from '../../core/index.js';
import type { Severity } from '../finding.js';
import type { Alert, AlertSink } from './alert.js';
import type { AlertOptions } from './options.js';
import { Outbox, type OutcomeListener } from './outbox.js';
import { QuietHoursClock, toNextMinute } from './quiet-hours.js';
import { reaches } from './severity.js';
import { stormAlert, StormGate } from './storm.js';
import type { Surroundings } from './surroundings.js';

/** A message that is to be told to each sink that it concerns. */
export interface Notice {
  readonly alert: Alert;
  /** The same with the numbers of now, for a sink that is told later. */
  again(): Alert;
}

/** Tells what has become of a notice, for the view; of the summary of a storm as well. */
export type OutcomeBook = (alert: Alert, sink: string) => OutcomeListener;

/**
 * What one sink is told: what is severe enough, outside its quiet hours, up to the cap. It keeps in mind what it has
 * told, so that nothing is resolved that never fired there.
 */
export class Channel {
  readonly #sink: AlertSink;
  readonly #least: Severity;
  readonly #options: AlertOptions;
  readonly #around: Surroundings;
  readonly #book: OutcomeBook;
  readonly #outbox: Outbox;
  readonly #quiet: QuietHoursClock | undefined;
  readonly #storm: StormGate | undefined;
  readonly #told = new Set<string>();
  /** By key: what waits for the end of the quiet hours. */
  readonly #held = new Map<string, Notice>();
  #minute: Timer | undefined;

  constructor(
    sink: AlertSink,
    { options, book }: { readonly options: AlertOptions; readonly book: OutcomeBook },
    around: Surroundings,
  ) {
    this.#sink = sink;
    this.#least = sink.minSeverity ?? 'warning';
    this.#options = options;
    this.#around = around;
    this.#book = book;
    this.#outbox = new Outbox(sink, options.delivery, around);
    const { quietHours } = options;
    this.#quiet = quietHours && sink.quietHours !== 'ignored' ? new QuietHoursClock(quietHours) : undefined;
    this.#storm =
      sink.stormCap === 'ignored'
        ? undefined
        : new StormGate(options.stormCap, around.clock, (titles) => this.#summarise(titles));
  }

  /** A problem fires, for the first time or again. */
  fire(notice: Notice): void {
    const { alert } = notice;
    if (!reaches(alert.severity, this.#least)) return;
    if (this.#mustWait(alert)) return this.#hold(notice);
    this.#held.delete(alert.key);
    if (this.#storm && !this.#storm.pass(alert)) return this.#outcome(alert)('held back: too many alerts');
    this.#told.add(alert.key);
    this.#put(alert);
  }

  /** The numbers of a problem have changed. Nobody is disturbed. */
  update(notice: Notice): void {
    if (!this.#sink.update || !this.#told.has(notice.alert.key)) return;
    this.#outbox.put(notice.alert, 'update', () => undefined);
  }

  /** A problem is over. */
  resolve(notice: Notice): void {
    const { alert } = notice;
    this.#held.delete(alert.key);
    if (!this.#told.has(alert.key)) return;
    if (this.#mustWait(alert)) return this.#hold(notice);
    this.#told.delete(alert.key);
    this.#put(alert);
  }

  /** A problem is over, and there is nothing to say about it. */
  forget(key: string): void {
    this.#held.delete(key);
    this.#told.delete(key);
  }

  /** Another process has told it, before this one became the sender. */
  toldElsewhere({ key, severity }: Pick<Alert, 'key' | 'severity'>): void {
    if (reaches(severity, this.#least)) this.#told.add(key);
  }

  async close(): Promise<void> {
    this.#minute?.clear();
    this.#storm?.close();
    await this.#outbox.close();
  }

  #mustWait({ severity }: Alert): boolean {
    if (!this.#quiet?.isQuiet(this.#around.wallClock())) return false;
    return !(severity === 'critical' && this.#options.quietHours?.pass === 'critical');
  }

  #hold(notice: Notice): void {
    this.#held.set(notice.alert.key, notice);
    this.#outcome(notice.alert)('held back: quiet hours');
    this.#minute ??= this.#nextMinute();
  }

  #nextMinute(): Timer {
    const { clock, wallClock } = this.#around;
    return clock.setTimer(() => {
      this.#minute = undefined;
      if (this.#held.size === 0) return;
      if (this.#quiet?.isQuiet(wallClock())) this.#minute = this.#nextMinute();
      else this.#tellHeld();
    }, toNextMinute(wallClock()));
  }

  #tellHeld(): void {
    const held = [...this.#held.values()];
    this.#held.clear();
    for (const notice of held) {
      if (notice.alert.status === 'resolved') this.resolve(notice);
      else this.fire({ ...notice, alert: notice.again() });
    }
  }

  #summarise(alerts: readonly Alert[]): void {
    this.#put(stormAlert(alerts, { at: this.#around.wallClock(), perMs: this.#options.stormCap.perMs }));
  }

  #put(alert: Alert): void {
    this.#outbox.put(alert, 'send', this.#outcome(alert));
  }

  #outcome(alert: Alert): OutcomeListener {
    return this.#book(alert, this.#sink.name);
  }
}
