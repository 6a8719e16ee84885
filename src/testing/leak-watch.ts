import {
  type LeaseInfo,
  LeaseReclaimedError,
  type ManagedPool,
  onServing,
  registeredNames,
  registeredSource,
} from '../connection/index.js';
import { describeLease } from '../pool-monitor/index.js';
import { LeakedConnectionError } from './leaked-connection-error.js';

/** Turns of the event loop in which work that nobody awaited may go on, after its last statement. */
const QUIET_TURNS = 100;
/** How long a connection may take to be opened for a request that nobody awaited. */
const OPENING_MS = 250;

/** A pool, as it was when the watch began. */
interface Watched {
  readonly before: ReadonlySet<number>;
  readonly untracked: number;
  readonly stop: () => void;
}

interface Leak {
  readonly pool: ManagedPool;
  readonly lease: LeaseInfo;
}

/** What a test takes of pools and does not give back. */
export class LeakWatch {
  readonly #watched = new Map<ManagedPool, Watched>();
  readonly #stopListening: () => void;

  /** `pools`: default every managed one, now and from now on. */
  constructor(pools: readonly ManagedPool[] | undefined) {
    this.#stopListening = pools ? () => {} : onServing((pool) => this.#watch(pool));
    for (const pool of pools ?? managedPools()) this.#watch(pool);
  }

  /** Ends the watch. What has been taken and not given back is taken back; the error says what that was. */
  async end(graceMs: number): Promise<LeakedConnectionError | undefined> {
    await this.#settle(graceMs);
    this.#stopListening();
    const leaks = this.#leaks();
    const error = leaks.length > 0 ? leakedError(leaks) : undefined;
    await Promise.all(leaks.map(({ pool, lease }) => pool.reclaim(lease, reclaimedError(pool, lease))));
    for (const { stop } of this.#watched.values()) stop();
    return error;
  }

  #watch(pool: ManagedPool): void {
    if (this.#watched.has(pool)) return;
    const stop = pool.observe({ ignoresQueries: true, recordsCallSite: () => true });
    const before = new Set(pool.leases().map(({ id }) => id));
    this.#watched.set(pool, { before, untracked: untrackedOf(pool), stop });
  }

  #leaks(): Leak[] {
    return [...this.#watched].flatMap(([pool, { before }]) =>
      pool
        .leases()
        .filter(({ id, allowed }) => !before.has(id) && allowed === undefined)
        .map((lease) => ({ pool, lease })),
    );
  }

  /** Lets work that was merely not awaited go on as far as it can: while its statements run, and a few turns more. */
  async #settle(graceMs: number): Promise<void> {
    const begin = performance.now();
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      const elapsedMs = performance.now() - begin;
      const isOpening = elapsedMs < OPENING_MS && this.#isOpening();
      if (!isOpening && this.#leaks().length === 0) return;
      if (elapsedMs > graceMs) return;
      if (isOpening || this.#isRunning()) quiet = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #isRunning(): boolean {
    return this.#leaks().some(({ pool, lease }) => pool.usage(lease)?.running);
  }

  /** Whether a request is on its way whose lease is still to come. */
  #isOpening(): boolean {
    return [...this.#watched].some(
      ([pool, { untracked }]) => !pool.ended && (pool.waiting().length > 0 || untrackedOf(pool) > untracked),
    );
  }
}

/** Connections in use that no lease is known of: one that is being opened, a `pool.query()`. */
function untrackedOf(pool: ManagedPool): number {
  return pool.counts().inUse - pool.leases().length;
}

function managedPools(): ManagedPool[] {
  return registeredNames().flatMap((name) => {
    const source = registeredSource(name);
    return source ? [source.primary, ...source.replicas] : [];
  });
}

function leakedError(leaks: readonly Leak[]): LeakedConnectionError {
  const lines = new Map<string, number>();
  for (const { pool, lease } of leaks) {
    const { site, statement, inTransaction } = describeLease(pool, lease);
    const last = statement === undefined ? 'no statement was sent' : `last statement: ${statement}`;
    const line = `of pool "${pool.name}", taken by ${site}, ${inTransaction ? 'inside a transaction, ' : ''}${last}`;
    lines.set(line, (lines.get(line) ?? 0) + 1);
  }
  const list = [...lines].map(([line, count]) => `  ${count} ${line}`).join('\n');
  const what = leaks.length === 1 ? 'connection was' : 'connections were';
  const error = new LeakedConnectionError(
    `${leaks.length} ${what} not given back when the test ended:\n${list}\n` +
      'Release each in a finally block, and await what releases it inside the test. They are closed now.',
  );
  const frames = leaks.map(({ pool, lease }) => framesOf(pool, lease)).find((each) => each !== undefined);
  if (frames) error.stack = `${error.name}: ${error.message}\n${frames}`;
  return error;
}

function reclaimedError(pool: ManagedPool, lease: LeaseInfo): LeaseReclaimedError {
  const cause = new Error('the connection was taken here');
  const frames = framesOf(pool, lease);
  if (frames) cause.stack = `Error: ${cause.message}\n${frames}`;
  return new LeaseReclaimedError(
    `The test that took this connection of pool "${pool.name}" ended without giving it back, so expectNoLeaks() closed it. Release it in a finally block.`,
    { cause },
  );
}

/** The stack of whoever took it, from the application's own line on: a runner shows the code at the first. */
function framesOf(pool: ManagedPool, lease: LeaseInfo): string | undefined {
  if (!lease.askedAt) return undefined;
  const { place } = describeLease(pool, lease);
  const lines = lease.askedAt.stack.split('\n').filter((line) => /^\s*at /.test(line));
  const own = place ? lines.findIndex((line) => line.includes(`${place.file}:${place.line}`)) : -1;
  return lines.slice(Math.max(own, 0)).join('\n');
}
