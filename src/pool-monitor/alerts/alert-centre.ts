import { describeError, systemClock } from '../../core/index.js';
import type { Finding, FindingEvent } from '../finding.js';
import type { MonitorReport } from '../report.js';
import type { SentAlert } from '../view.js';
import type { Alert } from './alert.js';
import { buildAlert } from './build-alert.js';
import { Channel, type Notice } from './channel.js';
import { type Fleet, localFleet, type Sighting } from './fleet.js';
import { Incident, type IncidentTimer } from './incident.js';
import { outdoes } from './inhibition.js';
import type { AlertOptions } from './options.js';
import { ProblemLog } from '../problem-log.js';
import { AlertRecord } from './record.js';
import { reaches } from './severity.js';
import { alertKey, sightingOf } from './sighting.js';
import type { Surroundings } from './surroundings.js';

/** More problems at once are one problem, and another one than ours. */
const MOST_INCIDENTS = 200;

/** What the alert centre works with. */
export interface AlertCentreParts extends Partial<Surroundings> {
  /** What the monitor knows now. */
  report(): MonitorReport;
  /** Default: this process alone, which always sends. */
  readonly fleet?: Fleet | undefined;
}

/**
 * Turns findings into few messages: one for what begins together, one more if it is still there after hours, one when it
 * is over. Nothing here throws or waits: what fails is logged once.
 */
export class AlertCentre {
  readonly #options: AlertOptions;
  readonly #report: () => MonitorReport;
  readonly #fleet: Fleet;
  readonly #around: Surroundings;
  readonly #channels: readonly Channel[];
  readonly #record = new AlertRecord();
  readonly #log = new ProblemLog({});
  /** By alert key. */
  readonly #incidents = new Map<string, Incident>();
  /** What this process found, by alert key. */
  readonly #own = new Map<string, Finding>();
  #instance: string | undefined;
  #stopListening: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: AlertOptions, parts: AlertCentreParts) {
    this.#options = options;
    this.#report = () => parts.report();
    this.#fleet = parts.fleet ?? localFleet;
    this.#around = {
      clock: parts.clock ?? systemClock,
      wallClock: parts.wallClock ?? (() => Date.now()),
      random: parts.random ?? Math.random,
    };
    const book = (alert: Alert, sink: string) => (outcome: string) =>
      this.#record.outcome(alert, sink, outcome);
    this.#channels = options.sinks.map((sink) => new Channel(sink, { options, book }, this.#around));
    this.#safely(() => {
      this.#stopListening = this.#fleet.onChange(() => this.#safely(() => this.#meetOthers()));
    });
  }

  /** Takes what the monitor found. */
  handle(event: FindingEvent): void {
    if (this.#closing) return;
    this.#safely(() => {
      const report = this.#report();
      this.#instance = report.instance;
      const incident = this.#see(report.instance, this.#sight(event, report));
      if (incident) this.#share();
    });
  }

  /** The latest messages and what became of them, newest first; at most 100. */
  sent(): readonly SentAlert[] {
    return this.#record.list();
  }

  /**
   * Tells what has not been told, ends what ends with this process, and sends what waits, all within `flushMs`. Takes
   * no more findings.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#safely(() => {
      this.#stopListening?.();
      for (const incident of new Set(this.#incidents.values())) {
        incident.stopAll();
        this.#endWithProcess(incident);
      }
      this.#fleet.share({ sightings: [], told: [] });
    });
    await Promise.all(this.#channels.map((channel) => channel.close()));
    this.#incidents.clear();
    this.#own.clear();
  }

  #endWithProcess(incident: Incident): void {
    const own = this.#instance;
    if (own === undefined || !this.#fleet.role().sends || (!incident.told && this.#isOutdone(incident)))
      return;
    if (!incident.told && !incident.isOpen && !incident.mattersWhenOver) return;
    if (!incident.told) this.#tell(incident, 0);
    incident.stopAll();
    for (const sighting of incident.seenBy(own))
      incident.see(own, { ...sighting, ended: sighting.ended ?? 'The process has stopped.' });
    // What others see as well is for the next sender to end.
    if (!incident.isOpen) this.#publish(incident, 'resolve');
  }

  #sight(event: FindingEvent, report: MonitorReport): Sighting {
    const key = alertKey(event.finding, report);
    const before = this.#incidents.get(key)?.seenBy(report.instance);
    this.#own.set(key, event.finding);
    return sightingOf(
      event,
      report,
      before?.find((sighting) => sighting.key === key),
    );
  }

  #see(instance: string, sighting: Sighting): Incident | undefined {
    const incident = this.#incidents.get(sighting.key) ?? this.#incidentFor(sighting);
    if (!incident) return void this.#own.delete(sighting.key);
    this.#incidents.set(sighting.key, incident);
    incident.see(instance, sighting);
    this.#react(incident);
    return incident;
  }

  /** One that still gathers company, or a new one. */
  #incidentFor(sighting: Sighting): Incident | undefined {
    if (sighting.ended !== undefined) return undefined;
    if (this.#incidents.size >= MOST_INCIDENTS) {
      this.#log.failed(`More than ${MOST_INCIDENTS} problems at once: no alerts about the others.`);
      return undefined;
    }
    const gathering = [...this.#incidents.values()].find(
      ({ isGathering, kind, pool }) => isGathering && kind === sighting.kind && pool === sighting.pool,
    );
    if (gathering) return gathering;
    const incident = new Incident(sighting);
    this.#start(incident, 'gather', this.#options.groupMs);
    return incident;
  }

  #start(incident: Incident, name: IncidentTimer, delayMs: number): void {
    const elapsed = (): void => {
      incident.stop(name);
      this.#elapsed(incident, name);
    };
    incident.start(
      name,
      this.#around.clock.setTimer(() => this.#safely(elapsed), delayMs),
    );
  }

  #elapsed(incident: Incident, name: IncidentTimer): void {
    const { isOpen } = incident;
    const sends = this.#fleet.role().sends;
    switch (name) {
      case 'gather':
        incident.isGathering = false;
        if (!isOpen && !incident.mattersWhenOver) return this.#remove(incident);
        this.#consider(incident);
        if (!isOpen) this.#start(incident, 'settle', this.#options.resolveMs);
        return;
      case 'repeat':
        if (isOpen && sends && !this.#isOutdone(incident))
          return this.#tell(incident, (incident.told?.repeat ?? -1) + 1);
        return this.#start(incident, 'repeat', this.#options.repeatMs);
      case 'update':
        if (isOpen && sends) this.#publish(incident, 'update');
        return;
      case 'settle':
        // What is told by something worse that is still there has not ended for whoever reads it.
        if (sends && !this.#isOutdone(incident)) {
          if (incident.told) this.#publish(incident, 'resolve');
        } else if (incident.told) {
          for (const channel of this.#channels) channel.forget(incident.told.key);
        }
        return this.#remove(incident);
    }
  }

  /** Something about an incident is new. */
  #react(incident: Incident): void {
    if (!incident.isGathering) {
      if (!incident.isOpen) {
        if (!incident.isWaitingFor('settle')) this.#start(incident, 'settle', this.#options.resolveMs);
      } else {
        incident.stop('settle');
        const { told, severity } = incident;
        if (
          told &&
          told.severity !== severity &&
          reaches(severity, told.severity) &&
          this.#fleet.role().sends
        )
          this.#tell(incident, told.repeat + 1);
        else if (told && !incident.isWaitingFor('update'))
          this.#start(incident, 'update', this.#options.updateMs);
      }
    }
    this.#reconsider();
  }

  /** What was held back may be due now: something worse is over, or this process has become the sender. */
  #reconsider(): void {
    for (const incident of new Set(this.#incidents.values()))
      if (!incident.told && incident.isOpen) this.#consider(incident);
  }

  #consider(incident: Incident): void {
    if (incident.isGathering || incident.told || !this.#fleet.role().sends) return;
    if (!this.#isOutdone(incident)) this.#tell(incident, 0);
  }

  #isOutdone(incident: Incident): boolean {
    return [...this.#incidents.values()].some(
      (other) =>
        other !== incident &&
        other.pool === incident.pool &&
        other.isOpen &&
        outdoes(other.rival, incident.rival),
    );
  }

  #tell(incident: Incident, repeat: number): void {
    const at = this.#around.wallClock();
    incident.told = { key: incident.subject('firing').key, at, severity: incident.severity, repeat };
    incident.stop('update');
    this.#start(incident, 'repeat', this.#options.repeatMs);
    this.#publish(incident, 'fire');
    this.#share();
  }

  #publish(incident: Incident, what: 'fire' | 'update' | 'resolve'): void {
    const status = what === 'resolve' ? 'resolved' : 'firing';
    const again = (): Alert => this.#build(incident, status);
    const notice: Notice = { alert: again(), again };
    for (const channel of this.#channels) channel[what](notice);
  }

  #build(incident: Incident, status: Alert['status']): Alert {
    const report = this.#report();
    this.#refresh(incident, report);
    const { alone } = this.#fleet.role();
    return buildAlert(incident.subject(status), { report, alone, at: this.#around.wallClock() });
  }

  /** The numbers of this process as they are now: those of the last event may be hours old. */
  #refresh(incident: Incident, report: MonitorReport): void {
    for (const { key, ended } of incident.seenBy(report.instance)) {
      const known = this.#own.get(key);
      if (ended !== undefined || !known) continue;
      const pool = report.pools.find(({ pool: name }) => name === known.pool);
      const finding = pool?.findings.find((candidate) => candidate.key === known.key) ?? known;
      incident.see(report.instance, sightingOf({ change: 'updated', finding }, report, undefined));
    }
  }

  #remove(incident: Incident): void {
    incident.stopAll();
    for (const key of incident.keys) {
      this.#incidents.delete(key);
      this.#own.delete(key);
    }
    this.#share();
    this.#reconsider();
  }

  #share(): void {
    const incidents = [...new Set(this.#incidents.values())];
    const own = this.#instance;
    this.#fleet.share({
      sightings: own === undefined ? [] : incidents.flatMap((incident) => incident.seenBy(own)),
      told: incidents.flatMap(({ told, keys }) => (told ? keys.map((key) => ({ key, at: told.at })) : [])),
    });
  }

  /** The others have told something new, or the role of this process has changed. */
  #meetOthers(): void {
    this.#instance ??= this.#report().instance;
    const others = this.#fleet.others();
    for (const [instance, { sightings }] of others)
      if (instance !== this.#instance) for (const sighting of sightings) this.#see(instance, sighting);
    for (const incident of new Set(this.#incidents.values())) this.#missOthers(incident);
    for (const { told } of others.values()) for (const mark of told) this.#believe(mark);
    this.#reconsider();
  }

  /** What a process does not tell any more is over there. */
  #missOthers(incident: Incident): void {
    const others = this.#fleet.others();
    for (const instance of incident.instances) {
      if (instance === this.#instance) continue;
      const told = others.get(instance)?.sightings.map(({ key }) => key) ?? [];
      for (const sighting of incident.seenBy(instance)) {
        if (sighting.ended !== undefined || told.includes(sighting.key)) continue;
        this.#see(instance, { ...sighting, ended: `${instance} does not report it any more.` });
      }
    }
  }

  /** Another process has told it: not again before it is time. */
  #believe({ key, at }: { readonly key: string; readonly at: number }): void {
    const incident = this.#incidents.get(key);
    const age = this.#around.wallClock() - at;
    if (!incident || (incident.told && incident.told.at >= at) || age > this.#options.repeatMs) return;
    const { severity } = incident;
    incident.told = { key, at, severity, repeat: incident.told?.repeat ?? 0 };
    for (const channel of this.#channels) channel.toldElsewhere({ key, severity });
    this.#start(incident, 'repeat', Math.max(1, this.#options.repeatMs - Math.max(0, age)));
  }

  /** An alert that fails must never fail the application. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#log.failed('An alert could not be made.', { error: describeError(error) });
    }
  }
}
