import type { SentAlert } from '../view.js';
import type { Alert } from './alert.js';

const MOST = 100;

interface Entry {
  readonly alert: Alert;
  readonly outcomes: Map<string, string>;
}

/** The latest alerts and what became of them, for the status page. */
export class AlertRecord {
  readonly #entries: Entry[] = [];

  /** Notes what became of an alert at one sink, as often as that changes. */
  outcome(alert: Alert, sink: string, outcome: string): void {
    const known = this.#entries.find((entry) => entry.alert === alert);
    if (known) return void known.outcomes.set(sink, outcome);
    this.#entries.unshift({ alert, outcomes: new Map([[sink, outcome]]) });
    if (this.#entries.length > MOST) this.#entries.pop();
  }

  /** Newest first. */
  list(): readonly SentAlert[] {
    return this.#entries.map(({ alert, outcomes }) => ({
      at: alert.at,
      key: alert.key,
      status: alert.status,
      title: alert.title,
      severity: alert.severity,
      outcomes: [...outcomes].map(([sink, outcome]) => ({ sink, outcome })),
    }));
  }
}
