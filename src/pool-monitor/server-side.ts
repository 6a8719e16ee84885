import type { ManagedPool } from '../connection/index.js';
import { type Fleet, localFleet } from './alerts/index.js';
import { DatabaseFleet } from './fleet/index.js';
import type { ParsedServer } from './options.js';
import type { LeaseReport } from './report.js';
import { keepConnection, type KeptConnection, ServerWatch } from './server/index.js';
import type { ServerReport } from './server-report.js';

/** The process among those of its service. */
export interface Identity {
  readonly service: string;
  readonly environment: string | undefined;
  readonly instance: string;
}

interface Watched {
  readonly connection: KeptConnection;
  readonly watch: ServerWatch;
  report: ServerReport | undefined;
  isReading: boolean;
}

/** The servers behind the watched pools, each over one connection that is kept open; and the fleet that meets on the first. */
export class ServerSide {
  readonly #options: ParsedServer;
  readonly #identity: Identity;
  readonly #watched = new Map<ManagedPool, Watched>();
  readonly #fleet = new ChangingFleet();
  #meetingAt: { readonly pool: ManagedPool; readonly fleet: DatabaseFleet } | undefined;
  #sinceMs: number;

  constructor(options: ParsedServer, identity: Identity) {
    this.#options = options;
    this.#identity = identity;
    this.#sinceMs = options.everyMs;
  }

  /** Who of the service's processes sends. */
  get fleet(): Fleet {
    return this.#fleet;
  }

  /** By pool name: what was seen last. */
  reports(): ReadonlyMap<string, ServerReport> {
    return new Map(
      [...this.#watched].flatMap(([pool, { report }]) => (report ? [[pool.name, report] as const] : [])),
    );
  }

  /** Opens a connection for each pool that is new, and closes those of pools that are gone. */
  adopt(pools: Iterable<ManagedPool>): void {
    if (this.#options.mode === 'off') return;
    const wanted = new Set(pools);
    for (const pool of this.#watched.keys()) if (!wanted.has(pool)) void this.#drop(pool);
    for (const pool of wanted) if (!this.#watched.has(pool) && pool.openBeside) this.#open(pool);
    this.#meet();
  }

  /** Looks at the servers when it is time. `leasesOf` answers the leases that are out of a pool. */
  sweep(elapsedMs: number, leasesOf: (pool: ManagedPool) => readonly LeaseReport[]): void {
    this.#sinceMs += elapsedMs;
    if (this.#sinceMs < this.#options.everyMs) return;
    this.#sinceMs = 0;
    for (const [pool, watched] of this.#watched) {
      // A server that is slow to answer is asked when it has answered.
      if (watched.isReading) continue;
      watched.isReading = true;
      void watched.watch.read(leasesOf(pool)).then((report) => {
        watched.report = report;
        watched.isReading = false;
      });
    }
  }

  /** Closes every connection. Never rejects. */
  async stop(): Promise<void> {
    await Promise.all([...this.#watched.keys()].map((pool) => this.#drop(pool)));
  }

  #open(pool: ManagedPool): void {
    const { through } = this.#options;
    const connection = keepConnection(pool, { instance: this.#identity.instance, through });
    const watch = new ServerWatch({ pool, connection, route: through ? 'given' : 'beside' });
    this.#watched.set(pool, { connection, watch, report: undefined, isReading: false });
    // Whoever meets on it need not wait for the next meeting.
    void connection.start().then(() => this.#meetingAt?.pool === pool && this.#meetingAt.fleet.start());
  }

  async #drop(pool: ManagedPool): Promise<void> {
    const watched = this.#watched.get(pool);
    this.#watched.delete(pool);
    if (this.#meetingAt?.pool === pool) {
      const { fleet } = this.#meetingAt;
      this.#meetingAt = undefined;
      this.#fleet.become(undefined);
      await fleet.stop();
    }
    await watched?.connection.stop();
  }

  /** The processes of a service meet on the server of the first primary by name: they adopt pools in orders of their own. */
  #meet(): void {
    const [first] = [...this.#watched]
      .filter(([pool]) => !pool.serving || pool.source.primary === pool)
      .sort(([one], [other]) => (one.name < other.name ? -1 : 1));
    if (this.#meetingAt || !first) return;
    const [pool, { connection }] = first;
    const { dialect, clock } = pool;
    const fleet = new DatabaseFleet({ connection, dialect, clock, ...this.#identity });
    this.#meetingAt = { pool, fleet };
    this.#fleet.become(fleet);
    if (connection.session) fleet.start();
  }
}

/** A fleet whose meeting place comes and goes; meanwhile the process is alone. */
class ChangingFleet implements Fleet {
  readonly #listeners = new Set<() => void>();
  #inner: Fleet = localFleet;
  #share: Parameters<Fleet['share']>[0] | undefined;
  #stopListening: (() => void) | undefined;

  become(fleet: Fleet | undefined): void {
    this.#stopListening?.();
    this.#inner = fleet ?? localFleet;
    if (this.#share) this.#inner.share(this.#share);
    this.#stopListening = this.#inner.onChange(() => this.#tell());
    this.#tell();
  }

  role(): ReturnType<Fleet['role']> {
    return this.#inner.role();
  }

  share(share: Parameters<Fleet['share']>[0]): void {
    this.#share = share;
    this.#inner.share(share);
  }

  others(): ReturnType<Fleet['others']> {
    return this.#inner.others();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
