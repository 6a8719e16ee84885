import type { FindingKind, Severity } from '../finding.js';

/** One line of an alert: `In use`: `10 of 10`. */
export interface AlertFact {
  readonly label: string;
  readonly value: string;
}

/** What a sink is told: complete sentences and values, and nothing that must not be seen. */
export interface Alert {
  /** kind + service + environment + pool + call site: the same problem has the same key, in every process of the fleet. */
  readonly key: string;
  /** `firing`, again after the repeat interval; `resolved` once, at the end. */
  readonly status: 'firing' | 'resolved';
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly service: string;
  readonly environment: string | undefined;
  readonly version: string | undefined;
  readonly pool: string;
  /** The call site: method, file and line. */
  readonly site: string | undefined;
  /** One line: `3 connections leaked by OrderService.place (src/order.service.ts:42)`. */
  readonly title: string;
  /** What was seen; for a resolved one how it ended. */
  readonly summary: string;
  /** The likely fix. */
  readonly advice: string;
  /** In the order in which they matter. */
  readonly facts: readonly AlertFact[];
  /** The last statement of the oldest lease, without literals. */
  readonly statement: string | undefined;
  /** More for whoever opens the thread: leases, waiters, sessions, one a line. */
  readonly details: readonly string[];
  /** `Date.now()` of the first sign. */
  readonly since: number;
  /** `Date.now()` of this message. */
  readonly at: number;
  /** The processes that it is about. */
  readonly instances: readonly string[];
}

/** Where alerts go. */
export interface AlertSink {
  /** For logs and the status page. Never an address with a secret in it. */
  readonly name: string;
  /** The least severity that it is sent. Default: `warning`. */
  readonly minSeverity?: Severity;
  /**
   * Sends one alert. Rejects where it could not: {@link SinkError} says whether another try makes sense. Must end soon
   * after `signal` is aborted.
   */
  send(alert: Alert, signal: AbortSignal): Promise<void>;
}
