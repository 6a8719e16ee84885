import { setTimeout as sleep } from 'node:timers/promises';
import type { TrackedPool } from './tracked-pool.js';

/**
 * How long what a test had may take to go away: only what never goes is a leak. A server's process that waits for its turn
 * on the machine has not noticed a closed socket for as long. Shorter than the 10 s after which a pool of pg
 * that nobody ended lets its connections go. Nobody waits for this but who leaks: the fixtures that do have it shortened.
 */
export const LEAK_GRACE_MS = Number(process.env['HOLDFAST_TEST_LEAK_GRACE_MS'] ?? 5000);

/** One row of pg_stat_activity, without the harness's own connections. */
export interface ServerSession {
  readonly pid: number;
  readonly state: string;
  readonly application: string;
  /** The statement it runs, or the last one it ran. */
  readonly query: string;
  readonly inTransaction: boolean;
}

export interface LeakSources {
  readonly pools: Iterable<TrackedPool>;
  sessions(): Promise<readonly ServerSession[]>;
  preparedTransactions(): Promise<readonly string[]>;
  /** How long a leak may take to vanish by itself. A backend notices a closed socket a moment later. */
  readonly graceMs: number;
}

/** After a test: connections may be open, but none may be lent or inside a transaction. */
export function findLeaksOfTest(sources: LeakSources): Promise<string[]> {
  return untilNone(sources.graceMs, async () => {
    const sessions = await sources.sessions();
    const lent = lentClients(sources.pools, sessions);
    const lentPids = new Set([...sources.pools].flatMap((pool) => pool.lentPids));
    const open = sessions.filter(({ pid, inTransaction }) => inTransaction && !lentPids.has(pid));
    return [...lent, ...open.map((session) => `left inside a transaction: ${describe(session)}`)];
  });
}

/** Clients that were taken from a tracked pool and never given back. */
export function findLentClients(sources: LeakSources): Promise<string[]> {
  return untilNone(sources.graceMs, async () => lentClients(sources.pools, await sources.sessions()));
}

/** After a file, when its pools have ended: nothing of it may be left on the server. */
export function findLeaksOfFile(sources: LeakSources): Promise<string[]> {
  return untilNone(sources.graceMs, async () => {
    const sessions = await sources.sessions();
    const prepared = await sources.preparedTransactions();
    return [
      ...sessions.map((session) => `still connected: ${describe(session)}`),
      ...prepared.map((name) => `prepared transaction neither committed nor rolled back: '${name}'`),
    ];
  });
}

export class ConnectionLeakError extends Error {
  constructor(
    owner: 'test' | 'file',
    readonly leaks: readonly string[],
  ) {
    super(
      `The ${owner} left ${leaks.length === 1 ? 'a connection' : `${leaks.length} connections`} behind:\n` +
        leaks.map((leak) => `  - ${leak}`).join('\n') +
        '\nRelease every client and end every pool and data source that the test itself opened; ' +
        'pools of db.pool() are ended by the harness.',
    );
    this.name = 'ConnectionLeakError';
    // Its stack would show the harness, never the culprit.
    this.stack = `${this.name}: ${this.message}`;
  }
}

function lentClients(pools: Iterable<TrackedPool>, sessions: readonly ServerSession[]): string[] {
  return [...pools].flatMap(({ lentPids, madeAt }) =>
    lentPids.map((pid) => {
      const session = sessions.find((candidate) => candidate.pid === pid);
      const what = session === undefined ? `pid ${pid}, its server session is gone` : describe(session);
      return `client never released to the pool made at ${madeAt}: ${what}`;
    }),
  );
}

function describe({ pid, state, application, query }: ServerSession): string {
  const name = application === '' ? '' : `, application "${application}"`;
  return `pid ${pid}, ${state}${name}, last statement: ${query.trim().slice(0, 200) || '(none)'}`;
}

async function untilNone(graceMs: number, find: () => Promise<string[]>): Promise<string[]> {
  const deadline = Date.now() + graceMs;
  for (;;) {
    const found = await find();
    if (found.length === 0 || Date.now() >= deadline) return found;
    await sleep(10);
  }
}
