import type { Clock, Timer } from '../../core/index.js';
import type { Alert } from './alert.js';
import { formatMs } from '../format.js';
import type { StormCap } from './options.js';
import { worst } from './severity.js';

/** As many of those that were held back are named. */
const MOST_NAMED = 10;

/** Lets so many alerts through in an interval. At its end the rest is summed up once. */
export class StormGate {
  readonly #cap: StormCap;
  readonly #clock: Clock;
  readonly #onEnd: (heldBack: readonly Alert[]) => void;
  /** By key. */
  readonly #heldBack = new Map<string, Alert>();
  #passed = 0;
  #end: Timer | undefined;

  constructor(cap: StormCap, clock: Clock, onEnd: (heldBack: readonly Alert[]) => void) {
    this.#cap = cap;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  pass(alert: Alert): boolean {
    this.#end ??= this.#clock.setTimer(() => this.#next(), this.#cap.perMs);
    if (this.#passed < this.#cap.max) {
      this.#passed += 1;
      return true;
    }
    this.#heldBack.set(alert.key, alert);
    return false;
  }

  /** Sums up at once what was held back. */
  close(): void {
    this.#end?.clear();
    this.#next();
  }

  #next(): void {
    this.#end = undefined;
    this.#passed = 0;
    const alerts = [...this.#heldBack.values()];
    this.#heldBack.clear();
    if (alerts.length > 0) this.#onEnd(alerts);
  }
}

/** The one message about alerts that were held back. */
export function stormAlert(
  alerts: readonly Alert[],
  { at, perMs }: { readonly at: number; readonly perMs: number },
): Alert {
  const { service, environment, version, pool } = alerts[0]!;
  const pools = [...new Set(alerts.map((alert) => alert.pool))];
  const more = alerts.length - MOST_NAMED;
  return {
    key: ['storm', service, environment ?? '', String(at)].join('|'),
    status: 'firing',
    repeat: 0,
    kind: 'storm',
    severity: worst(alerts.map(({ severity }) => severity)),
    service,
    environment,
    version,
    pool,
    site: undefined,
    title: `${alerts.length} more ${alerts.length === 1 ? 'alert was' : 'alerts were'} held back`,
    summary:
      `There were more alerts than this place takes in ${formatMs(perMs)}. Held back were those listed; ` +
      'what still fires is told again after the repeat interval.',
    advice: 'Look at the status page or the log: many alerts at once have one cause more often than many.',
    counts: { leaked: 0, suspected: 0, inUse: 0, max: 0, waiting: 0, oldestWaitMs: 0 },
    facts: [
      { label: 'Pools', value: pools.slice(0, MOST_NAMED).join(', ') },
      {
        label: 'Held back',
        value: [
          ...alerts.slice(0, MOST_NAMED).map(({ title }) => title),
          ...(more > 0 ? [`and ${more} more`] : []),
        ].join('\n'),
      },
    ],
    statement: undefined,
    details: alerts.map(({ title }) => title).slice(0, 40),
    since: Math.min(...alerts.map((alert) => alert.since)),
    at,
    instances: [...new Set(alerts.flatMap(({ instances }) => instances))],
  };
}
