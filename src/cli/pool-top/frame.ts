import {
  type Finding,
  type LeaseReport,
  leaseWords,
  type PoolStatus,
  type ServerReport,
  type ServerSession,
  type StatusDocument,
} from '../../pool-monitor/index.js';
import { type Column, tableLines } from '../output/table.js';
import { duration, printable, timestamp, truncate } from '../output/text.js';
import type { Colours } from '../terminal.js';
import type { Snapshot } from './snapshot.js';
import { KEYS_LINE, type ViewState } from './view-state.js';

/** What a frame has to fit into; without a width nothing is cut, without a height nothing is left out. */
export interface FrameSize {
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly colours: Colours;
}

/** The lines of one frame. Pure. */
export function frameOf(snapshot: Snapshot, state: ViewState, size: FrameSize): string[] {
  const { colours, height } = size;
  const { app, server, problem } = snapshot;
  const head = [
    ...(problem === undefined ? [] : [line(size, problem, colours.red)]),
    ...(app ? [line(size, titleOf(app, state), colours.bold)] : []),
    ...(app?.pools ?? []).flatMap((pool) => poolLines(pool, size)),
    ...serverLines(server, size),
  ];
  const table = app ? tableOf(app.pools, state, size) : [];
  if (height === undefined) return [...head, ...(table.length > 0 ? ['', ...table] : [])];
  const foot = line(size, KEYS_LINE, colours.dim);
  const shown = head.slice(0, Math.max(1, height - 3));
  const [title, ...rows] = table;
  const room = height - shown.length - 2;
  // The last rows stay in sight: whoever scrolls past them would believe that there are none.
  const offset = Math.max(0, Math.min(state.offset, rows.length - (room - 1)));
  const visible = title === undefined || room < 2 ? [] : [title, ...rows.slice(offset, offset + room - 1)];
  return [...shown, '', ...visible, foot];
}

function titleOf({ service, environment, version, instance, at }: StatusDocument, state: ViewState): string {
  const names = [service, environment, version, instance].filter((each) => each !== undefined);
  return `${names.join('  ')}   ${timestamp(new Date(at))} UTC${state.isPaused ? '   [paused]' : ''}`;
}

function poolLines(pool: PoolStatus, size: FrameSize): string[] {
  const { counts, waiting, leaked, timeouts, waitP95Ms, findings, server } = pool;
  const { red, yellow, green } = size.colours;
  const limit = Number.isFinite(counts.max) ? ` of ${counts.max}` : '';
  const facts = [
    `${counts.inUse}${limit} in use`,
    `${counts.idle} idle`,
    `${counts.pending} waiting${waiting.count > 0 ? ` (oldest ${duration(waiting.oldestMs)})` : ''}`,
    `wait p95 ${duration(waitP95Ms)}`,
    `${leaked} leaked`,
    `${timeouts} timeouts`,
  ];
  const isFull = counts.inUse >= counts.max;
  const colour = isFull && counts.pending > 0 ? red : isFull ? yellow : green;
  return [
    line(size, `${pool.pool}  ${meter(pool)}  ${facts.join(', ')}`, colour),
    ...findings.map((finding) => findingLine(finding, size)),
    ...serverLines(server, size),
  ];
}

const METER = 20;

function meter({ counts: { inUse, max } }: PoolStatus): string {
  if (!Number.isFinite(max) || max === 0) return '';
  const filled = Math.min(METER, Math.round((inUse / max) * METER));
  return `[${'#'.repeat(filled)}${'.'.repeat(METER - filled)}]`;
}

function findingLine({ severity, kind, evidence }: Finding, size: FrameSize): string {
  const { red, yellow, dim } = size.colours;
  const colour = severity === 'critical' ? red : severity === 'warning' ? yellow : dim;
  return line(size, `  ${severity} ${kind}: ${evidence}`, colour);
}

function serverLines(server: ServerReport | undefined, size: FrameSize): string[] {
  if (!server) return [];
  const { connections, maxConnections, product, blocking, idleInTransaction, notes } = server;
  const { yellow, dim } = size.colours;
  const most = maxConnections === undefined ? '' : ` of ${maxConnections}`;
  const share = connections === undefined ? '' : `: ${connections}${most} connections`;
  return [
    line(
      size,
      `  ${product}${share}, ${idleInTransaction.length} idle in a transaction, ${blocking.length} blocked`,
    ),
    ...notes.map((note) => line(size, `  ${note}`, yellow)),
    ...blocking.map(({ blocked, blocker, waitMs, lock }) => {
      const since = waitMs === undefined ? '' : ` for ${duration(waitMs)}`;
      const what = lock === undefined ? '' : ` for ${lock}`;
      return line(size, `  ${sessionOf(blocked)} waits${since}${what} on ${sessionOf(blocker)}`, yellow);
    }),
    ...idleInTransaction.map((session) => {
      const open = session.transactionMs === undefined ? '' : ` for ${duration(session.transactionMs)}`;
      return line(
        size,
        `  ${sessionOf(session)} idle in a transaction${open}: ${session.statement ?? ''}`,
        dim,
      );
    }),
  ];
}

function sessionOf({ backendId, site, application }: ServerSession): string {
  const who = site ?? application;
  return who === undefined ? String(backendId) : `${backendId} ${who}`;
}

type Row = LeaseReport & { readonly pool: string; readonly count: number };

function tableOf(pools: readonly PoolStatus[], state: ViewState, { width, colours }: FrameSize): string[] {
  const leases: Row[] = pools.flatMap(({ pool, leases: out }) =>
    out.map((each) => ({ ...each, pool, count: 1 })),
  );
  const rows = (state.rows === 'sites' ? bySite(leases) : leases).sort(ORDER[state.sortBy]);
  if (rows.length === 0) return [];
  const columns: Column<Row>[] = [
    ...(pools.length > 1 ? [{ title: 'Pool', text: ({ pool }: Row) => pool }] : []),
    ...(state.rows === 'sites' ? [{ title: 'Count', text: ({ count }: Row) => String(count) }] : []),
    { title: 'Age', text: ({ ageMs }) => duration(ageMs) },
    { title: 'Idle', text: ({ idleMs }) => duration(idleMs) },
    {
      title: 'State',
      text: leaseWords,
      colour: (text, { verdict }) => colourOf(verdict, colours)(text),
      dropOrder: 1,
    },
    { title: 'Call site', text: ({ site }) => site, flexible: true },
    { title: 'Request', text: ({ request }) => request ?? '', dropOrder: 3 },
    { title: 'Backend', text: ({ backendId }) => String(backendId ?? ''), dropOrder: 2 },
    { title: 'Last statement', text: ({ statement }) => truncate(statement ?? '', 60), dropOrder: 4 },
  ];
  return tableLines(rows, columns, { width, colours });
}

const ORDER: Readonly<Record<ViewState['sortBy'], (a: Row, b: Row) => number>> = {
  age: (a, b) => b.ageMs - a.ageMs,
  idle: (a, b) => b.idleMs - a.idleMs,
  site: (a, b) => a.site.localeCompare(b.site) || b.ageMs - a.ageMs,
};

/** The oldest lease of each call site, with how many there are. */
function bySite(leases: readonly Row[]): Row[] {
  const groups = new Map<string, Row>();
  for (const lease of leases) {
    const key = `${lease.pool}\n${lease.site}`;
    const group = groups.get(key);
    const older = group && group.ageMs > lease.ageMs ? group : lease;
    groups.set(key, { ...older, count: (group?.count ?? 0) + 1 });
  }
  return [...groups.values()];
}

function colourOf(verdict: Row['verdict'], { red, yellow }: Colours): (text: string) => string {
  if (verdict === 'leak') return red;
  return verdict === 'suspect' ? yellow : (text) => text;
}

function line(
  { width }: FrameSize,
  text: string,
  colour: (text: string) => string = (plain) => plain,
): string {
  const flat = printable(text).replace(/\s*\n\s*/g, ' ');
  return colour(width === undefined ? flat : truncate(flat, width));
}
