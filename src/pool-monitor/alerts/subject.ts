import type { MonitorReport } from '../report.js';
import type { Sighting } from './fleet.js';

/** One problem: what each process that sees it says, by instance. */
export interface Problem {
  readonly key: string;
  readonly sightings: ReadonlyMap<string, Sighting>;
}

/** What an alert is about. The first problem is the one that it names; the others came with it, of the same pool and kind. */
export interface Subject {
  readonly key: string;
  readonly status: 'firing' | 'resolved';
  readonly repeat: number;
  readonly problems: readonly [Problem, ...Problem[]];
}

/** What is said beside the problem itself. */
export interface Setting {
  readonly report: MonitorReport;
  /** Why this process speaks for itself alone, where there are others. */
  readonly alone: string | undefined;
  /** `Date.now()`. */
  readonly at: number;
}
