import type { Timer } from '../../core/index.js';
import type { FindingKind, Severity } from '../finding.js';
import { severityOf } from './build-alert.js';
import type { Sighting } from './fleet.js';
import type { Rival } from './inhibition.js';
import type { Problem, Subject } from './subject.js';

/** These happen and are over: what counts is that they did. */
const MOMENTARY: readonly FindingKind[] = ['dirty-release', 'double-release', 'stale-use', 'late-return'];

/** What has been told of an incident. */
export interface Told {
  /** The key that its messages have. */
  readonly key: string;
  /** `Date.now()` of the last one. */
  readonly at: number;
  readonly severity: Severity;
  readonly repeat: number;
}

export type IncidentTimer = 'gather' | 'repeat' | 'settle' | 'update';

/** Problems of one kind and pool that began together: one message, with updates, repeats and one end. */
export class Incident {
  readonly kind: FindingKind;
  readonly pool: string;
  /** Still waits for company. */
  isGathering = true;
  told: Told | undefined;
  readonly #problems = new Map<string, Map<string, Sighting>>();
  readonly #timers = new Map<IncidentTimer, Timer>();

  constructor({ kind, pool }: Sighting) {
    this.kind = kind;
    this.pool = pool;
  }

  get keys(): readonly string[] {
    return [...this.#problems.keys()];
  }

  get sightings(): readonly Sighting[] {
    return [...this.#problems.values()].flatMap((seen) => [...seen.values()]);
  }

  get isOpen(): boolean {
    for (const seen of this.#problems.values())
      for (const { ended } of seen.values()) if (ended === undefined) return true;
    return false;
  }

  get severity(): Severity {
    return severityOf(this.#subject('firing', 0));
  }

  /** Whether it is to be told even where it was over before its first message. */
  get mattersWhenOver(): boolean {
    return this.sightings.some(
      ({ kind, severity, certainty }) =>
        severity === 'critical' || certainty === 'certain' || MOMENTARY.includes(kind),
    );
  }

  get rival(): Rival {
    return { kind: this.kind, sites: this.sightings.map(({ site }) => site) };
  }

  /** Who sees it, of the processes, by instance; each with the keys that it sees. */
  seenBy(instance: string): readonly Sighting[] {
    return [...this.#problems.values()].flatMap((seen) => seen.get(instance) ?? []);
  }

  get instances(): readonly string[] {
    return [...new Set([...this.#problems.values()].flatMap((seen) => [...seen.keys()]))];
  }

  see(instance: string, sighting: Sighting): void {
    const seen = this.#problems.get(sighting.key) ?? new Map<string, Sighting>();
    this.#problems.set(sighting.key, seen.set(instance, sighting));
  }

  /** What its next message is about. */
  subject(status: 'firing' | 'resolved'): Subject {
    return this.#subject(status, this.told?.repeat ?? 0);
  }

  start(name: IncidentTimer, timer: Timer): void {
    this.stop(name);
    this.#timers.set(name, timer);
  }

  stop(name: IncidentTimer): void {
    this.#timers.get(name)?.clear();
    this.#timers.delete(name);
  }

  isWaitingFor(name: IncidentTimer): boolean {
    return this.#timers.has(name);
  }

  stopAll(): void {
    for (const timer of this.#timers.values()) timer.clear();
    this.#timers.clear();
  }

  #subject(status: 'firing' | 'resolved', repeat: number): Subject {
    const problems = [...this.#problems].map(([key, sightings]) => ({ key, sightings }));
    const open = problems.filter(isOpen);
    const meant = status === 'firing' && open.length > 0 ? open : problems;
    const [named, ...also] = [...meant].sort((a, b) => this.#rank(b) - this.#rank(a));
    return { key: this.told?.key ?? named!.key, status, repeat, problems: [named!, ...also] };
  }

  /** What the messages are named after first, then what holds most connections. */
  #rank({ key, sightings }: Problem): number {
    if (key === this.told?.key) return Infinity;
    return [...sightings.values()].reduce((sum, { leaked, count }) => sum + Math.max(leaked, count), 0);
  }
}

function isOpen({ sightings }: Problem): boolean {
  return [...sightings.values()].some(({ ended }) => ended === undefined);
}
