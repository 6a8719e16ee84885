import type { ManagedPool } from '../../connection/index.js';
import { describeError } from '../../core/index.js';
import type { LeaseReport } from '../report.js';
import type { Blocking, ServerReport, ServerSession } from '../server-report.js';
import type { KeptConnection } from './kept-connection.js';
import { mysqlWords } from './mysql-words.js';
import { postgresWords } from './postgres-words.js';
import { type SeenSession, type ServerView, type ServerWords, SHOWN } from './server-words.js';
import type { OpenSession } from './session-facts.js';

export interface ServerWatchOptions {
  readonly pool: ManagedPool;
  readonly connection: KeptConnection;
  /** `given`: the connection is opened through another pool than the one that is watched, past a pooler for example. */
  readonly route: 'beside' | 'given';
}

/** Looks at a pool's server over the monitor's own connection. */
export class ServerWatch {
  readonly #pool: ManagedPool;
  readonly #connection: KeptConnection;
  readonly #route: ServerWatchOptions['route'];
  readonly #words: ServerWords;
  #product: string;
  #maxConnections: number | undefined;
  /** The session that was asked the last time, and over which connection. */
  #asked: { readonly session: OpenSession; readonly id: number } | undefined;
  #isPooled = false;

  constructor({ pool, connection, route }: ServerWatchOptions) {
    this.#pool = pool;
    this.#connection = connection;
    this.#route = route;
    const isPostgres = pool.dialect.name === 'postgres';
    this.#words = isPostgres ? postgresWords : mysqlWords;
    this.#product = isPostgres ? 'PostgreSQL' : 'MySQL or MariaDB';
  }

  /** One look, with one question or two. `leases`: those of the pool that are out. Never rejects: what could not be seen is a note. */
  async read(leases: readonly LeaseReport[]): Promise<ServerReport> {
    const { session } = this.#connection;
    if (!session) return this.#unseen(this.#whyUnseen());
    this.#product = session.product;
    const held = new Map(
      leases.flatMap((lease) => (lease.backendId === undefined ? [] : [[lease.backendId, lease]])),
    );
    try {
      const view = await this.#words.look((sql) => this.#connection.ask(sql), session, [...held.keys()]);
      return this.#report(view, session, held);
    } catch (error) {
      const { message, code } = describeError(error);
      return this.#unseen(`The server could not be looked at: ${code ? `${message} (${code})` : message}.`);
    }
  }

  #report(view: ServerView, session: OpenSession, held: ReadonlyMap<number, LeaseReport>): ServerReport {
    this.#maxConnections = view.maxConnections;
    const joinsLeases = this.#joinsLeases(view, session, held);
    const joined = view.sessions.map((seen) =>
      joinLease(seen, joinsLeases ? held.get(seen.backendId) : undefined),
    );
    const byId = new Map(joined.map(({ session: told }) => [told.backendId, told]));
    const idle = joined
      .flatMap(({ isIdleInTransaction, session: told }) => (isIdleInTransaction ? [told] : []))
      .sort((one, other) => (other.transactionMs ?? 0) - (one.transactionMs ?? 0));
    return {
      pool: this.#pool.name,
      at: Date.now(),
      product: session.product,
      connections: view.connections,
      maxConnections: view.maxConnections,
      own: joinsLeases ? this.#pool.counts().total : 0,
      idleInTransaction: idle.slice(0, SHOWN),
      blocking: this.#blocking(view, byId),
      joinsLeases,
      notes: [...(joinsLeases ? [] : [POOLER]), ...view.notes],
    };
  }

  /** Whether the ids of leases are those of the server's sessions. */
  #joinsLeases(view: ServerView, session: OpenSession, held: ReadonlyMap<number, LeaseReport>): boolean {
    // In transaction mode a pooler may lend the session whose id it told, and another one the next time.
    if (this.#asked?.session === session && this.#asked.id !== view.askedId) this.#isPooled = true;
    else if (this.#asked?.session !== session)
      this.#isPooled = !session.isDirect || view.askedId !== session.backendId;
    this.#asked = { session, id: view.askedId };
    if (this.#route === 'beside') return !this.#isPooled;
    // The monitor goes past what the pool goes through: whether there is a pooler shows in the leases alone.
    return held.size === 0 || view.sessions.some(({ backendId }) => held.has(backendId));
  }

  #blocking({ waits }: ServerView, byId: ReadonlyMap<number, ServerSession>): readonly Blocking[] {
    const blocked = new Set(waits.map((wait) => wait.blocked));
    const chains = [...waits].sort(
      (one, other) => Number(blocked.has(one.blocker)) - Number(blocked.has(other.blocker)),
    );
    return chains.slice(0, SHOWN).map((wait) => ({
      blocked: byId.get(wait.blocked) ?? unknownSession(wait.blocked),
      blocker: byId.get(wait.blocker) ?? unknownSession(wait.blocker),
      waitMs: wait.waitMs,
      lock: wait.lock,
    }));
  }

  #whyUnseen(): string {
    const { problem, isFull } = this.#connection;
    const next = isFull
      ? 'It was lost, or not opened, while there was room; it is tried again until there is.'
      : 'It is opened again by itself.';
    return `The monitor has no connection to the server: ${problem}. ${next}`;
  }

  #unseen(note: string): ServerReport {
    return {
      pool: this.#pool.name,
      at: Date.now(),
      product: this.#product,
      connections: undefined,
      maxConnections: this.#maxConnections,
      own: this.#pool.counts().total,
      idleInTransaction: [],
      blocking: [],
      joinsLeases: false,
      notes: [note],
    };
  }
}

const POOLER =
  'A pooler (PgBouncer, RDS Proxy, ProxySQL or the like) stands between the pool and the server: the ids of its connections are not those of the server’s sessions, so that sessions are not told by source line.';

interface Joined {
  readonly session: ServerSession;
  readonly isIdleInTransaction: boolean;
}

/** MySQL shows no transaction that has not touched a table, nor any to an account without the right: its lease knows. */
function joinLease({ isIdleInTransaction, ...seen }: SeenSession, lease: LeaseReport | undefined): Joined {
  const isIdle = isIdleInTransaction || (seen.state === 'Sleep' && lease?.inTransaction === true);
  const state = isIdle && seen.state === 'Sleep' ? 'idle in transaction' : seen.state;
  const statement = seen.statement ?? lease?.statement;
  return {
    session: { ...seen, state, statement, leaseId: lease?.id, site: lease?.site },
    isIdleInTransaction: isIdle,
  };
}

/** It ended between two answers, or is another database's. */
function unknownSession(backendId: number): ServerSession {
  return {
    backendId,
    application: undefined,
    state: undefined,
    stateMs: undefined,
    transactionMs: undefined,
    statement: undefined,
    leaseId: undefined,
    site: undefined,
  };
}
