import type { Severity } from '../finding.js';
import type { Alert, AlertCounts, AlertFact } from './alert.js';
import { detailsOf } from './details.js';
import { formatMs, formatRange } from '../format.js';
import type { Sighting } from './fleet.js';
import { soonest } from './forecast.js';
import { plainText } from './plain-text.js';
import { blockingText, serverText } from './server-text.js';
import { worst } from './severity.js';
import type { Problem, Setting, Subject } from './subject.js';
import { leakCounts, titleOf, waitingText } from './wording.js';

/** Writes the message about a subject. Everything in it may be seen: no parameter values, no credentials. */
export function buildAlert(subject: Subject, setting: Setting): Alert {
  const { report, at } = setting;
  const [named, ...also] = subject.problems;
  const seen = shown(subject.status, named);
  const first = seen[0]![1];
  const { kind, pool, site } = first;
  const counts = countsOf(seen);
  const count = seen.reduce((sum, [, sighting]) => sum + sighting.count, 0);
  const all = subject.problems.flatMap(({ sightings }) => [...sightings.entries()]);
  const since = Math.min(...all.map(([, sighting]) => sighting.since));
  return {
    key: subject.key,
    status: subject.status,
    repeat: subject.repeat,
    kind,
    severity: severityOf(subject),
    service: plainText(report.service, 100),
    environment: report.environment === undefined ? undefined : plainText(report.environment, 100),
    version: report.version === undefined ? undefined : plainText(report.version, 100),
    pool,
    site,
    title: titleOf({ kind, pool, site, count, ...counts }),
    summary: subject.status === 'resolved' ? endingOf(subject, at - since) : first.evidence,
    advice: first.advice,
    counts,
    facts: factsOf({ subject, setting, seen, counts, also, since }),
    statement: seen.map(([, { statement }]) => statement).find((statement) => statement !== undefined),
    details: detailsOf(subject, report),
    since,
    at,
    instances: [...new Set(all.map(([instance]) => instance))],
  };
}

/** The severity of an alert: that of the worst that is still there, or of the worst there was. */
export function severityOf({ problems }: Pick<Subject, 'problems'>): Severity {
  const all = problems.flatMap(({ sightings }) => [...sightings.values()]);
  const open = all.filter(({ ended }) => ended === undefined);
  return worst((open.length > 0 ? open : all).map(({ severity }) => severity));
}

type Seen = readonly (readonly [string, Sighting])[];

/** Who still sees it, or, where nobody does, who saw it: the process with most connections first. */
function shown(status: Alert['status'], { sightings }: Problem): Seen {
  const all = [...sightings.entries()].sort(([, a], [, b]) => b.leaked - a.leaked || a.since - b.since);
  const open = all.filter(([, { ended }]) => ended === undefined);
  return status === 'firing' && open.length > 0 ? open : all;
}

function countsOf(seen: Seen): AlertCounts {
  const sum = (of: (sighting: Sighting) => number): number =>
    seen.reduce((total, [, sighting]) => total + of(sighting), 0);
  return {
    leaked: sum(({ leaked }) => leaked),
    suspected: sum(({ suspected }) => suspected),
    inUse: sum(({ inUse }) => inUse),
    max: sum(({ max }) => max),
    waiting: sum(({ waiting }) => waiting),
    oldestWaitMs: Math.max(...seen.map(([, { oldestWaitMs }]) => oldestWaitMs)),
  };
}

function endingOf({ problems }: Subject, lastedMs: number): string {
  const endings = problems.flatMap(({ sightings }) => [...sightings.values()].map(({ ended }) => ended));
  const told = [...new Set(endings.filter((ended) => ended !== undefined))];
  return plainText([...told, `It lasted ${formatMs(lastedMs)}.`].join(' '), 1000);
}

type LabelledText = readonly [string, string | undefined];

interface FactSource {
  readonly subject: Subject;
  readonly setting: Setting;
  readonly seen: Seen;
  readonly counts: AlertCounts;
  readonly also: readonly Problem[];
  readonly since: number;
}

function factsOf({ subject, setting, seen, counts, also, since }: FactSource): readonly AlertFact[] {
  const { report } = setting;
  const { pool, site } = seen[0]![1];
  const certain = seen.some(([, { certainty, leaked }]) => certainty === 'certain' && leaked > 0);
  const isFiring = subject.status === 'firing';
  const full = soonest(seen.map(([, { fullInMs }]) => fullInMs));
  const server = report.servers.get(pool);
  // What the pool and the server look like now says nothing about a problem that is over.
  const now: readonly LabelledText[] = [
    ['In use', counts.max > 0 ? `${counts.inUse} of ${counts.max}` : undefined],
    ['Waiting', waitingText(counts)],
    ['Forecast', full && `full in ${formatRange(full)} at the rate seen`],
    ['Server', server && serverText(server)],
    ['Blocking', server && blockingText(server)],
  ];
  const facts: readonly LabelledText[] = [
    ['Where', site],
    ['Pool', pool],
    ['Leaked', leakCounts(counts.leaked, counts.suspected, certain)],
    ['Also', alsoText(also)],
    ...(isFiring ? now : []),
    ['Instances', instancesText(seen, setting.alone)],
    ['Version', report.version],
    ['Since', formatTime(since)],
  ];
  return facts.flatMap(([label, value]) =>
    value === undefined || value === '' ? [] : [{ label, value: plainText(value, 500) }],
  );
}

/** The other call sites of the pool that came with it. */
function alsoText(also: readonly Problem[]): string | undefined {
  if (also.length === 0) return undefined;
  const places = also.map((problem) => {
    const seen = shown('firing', problem);
    const { leaked, suspected } = countsOf(seen);
    const { site, pool, count } = seen[0]![1];
    return `${site ?? pool} (${leaked || suspected || count})`;
  });
  return places.length > 5
    ? `${places.slice(0, 5).join(', ')} and ${places.length - 5} more`
    : places.join(', ');
}

function instancesText(seen: Seen, alone: string | undefined): string {
  const names = seen.map(([instance, { leaked }]) =>
    seen.length > 1 && leaked > 0 ? `${instance} (${leaked})` : instance,
  );
  const list =
    names.length > 10 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ');
  const all = names.length > 1 ? `${names.length}: ${list}` : list;
  return alone === undefined ? all : `${all}; speaks for itself alone: ${alone}`;
}

function formatTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
