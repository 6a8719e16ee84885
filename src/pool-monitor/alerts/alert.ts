import type { FindingKind, Severity } from '../finding.js';

/** What an alert is about: a finding, or `storm`: the summary of alerts that were held back because there were too many. */
export type AlertKind = FindingKind | 'storm';

/** One line of an alert: `In use`: `10 of 10`. */
export interface AlertFact {
  readonly label: string;
  readonly value: string;
}

/** The numbers behind an alert, over all processes that it is about. */
export interface AlertCounts {
  /** Connections that are leaked, by verdict. */
  readonly leaked: number;
  /** Connections that may be. */
  readonly suspected: number;
  readonly inUse: number;
  readonly max: number;
  readonly waiting: number;
  /** Milliseconds; 0 where nobody waits. */
  readonly oldestWaitMs: number;
}

/** What a sink is told: complete sentences and values, and nothing that must not be seen. */
export interface Alert {
  /** kind + service + environment + pool + call site: the same problem has the same key, in every process of the fleet. */
  readonly key: string;
  /** `firing`, again after the repeat interval; `resolved` once, at the end. */
  readonly status: 'firing' | 'resolved';
  /** How often it had been sent before while it fired: 0 for the first message. */
  readonly repeat: number;
  readonly kind: AlertKind;
  readonly severity: Severity;
  readonly service: string;
  readonly environment: string | undefined;
  readonly version: string | undefined;
  readonly pool: string;
  /** The call site: method, file and line. Of several, the one with most connections. */
  readonly site: string | undefined;
  /** One line: `3 connections leaked by OrderService.place (src/order.service.ts:42)`. */
  readonly title: string;
  /** What was seen; for a resolved one how it ended. */
  readonly summary: string;
  /** The likely fix. */
  readonly advice: string;
  readonly counts: AlertCounts;
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

/** Where alerts go. `slackWebhook()` and the others make one; anything of this shape is one. */
export interface AlertSink {
  /** For logs and the status page. Never an address with a secret in it. */
  readonly name: string;
  /** The least severity that it is sent. Default: `warning`. */
  readonly minSeverity?: Severity;
  /** `ignored`: it is sent everything at any hour, as a log is. Default: `heeded`. */
  readonly quietHours?: 'heeded' | 'ignored';
  /** `ignored`: the cap on a storm of alerts is not for it. Default: `heeded`. */
  readonly stormCap?: 'heeded' | 'ignored';
  /** The least time between two messages, in milliseconds. Default: 0. */
  readonly minGapMs?: number;
  /**
   * Sends one alert. Rejects where it could not: `SinkError` says whether another try makes sense; any other error is
   * tried again. Must end soon after `signal` is aborted.
   */
  send(alert: Alert, signal: AbortSignal): Promise<void>;
  /** Changes what it sent of this alert before, without telling anybody. Absent where that is not possible. */
  update?(alert: Alert, signal: AbortSignal): Promise<void>;
}
