/** A session of the database server. */
export interface ServerSession {
  /** `pg_stat_activity.pid`, or the thread id of MySQL. */
  readonly backendId: number;
  /** `application_name`, or user and host on MySQL. */
  readonly application: string | undefined;
  /** `active`, `idle`, `idle in transaction` …, or MySQL's command. */
  readonly state: string | undefined;
  /** How long it has been in this state, in milliseconds. */
  readonly stateMs: number | undefined;
  /** How long its transaction has been open, in milliseconds; `undefined` outside one. */
  readonly transactionMs: number | undefined;
  /** What it runs, or ran last, without literals. */
  readonly statement: string | undefined;
  /** The lease of this process that it serves, where it is one's. */
  readonly leaseId: number | undefined;
  /** The call site of that lease: the source line behind the backend. */
  readonly site: string | undefined;
}

/** Somebody waits for a lock that another holds. */
export interface Blocking {
  readonly blocked: ServerSession;
  readonly blocker: ServerSession;
  /** How long the wait has lasted, in milliseconds. */
  readonly waitMs: number | undefined;
  /** What is waited for, such as the name of a table; `undefined` where the server does not tell. */
  readonly lock: string | undefined;
}

/** What the server says, seen over the monitor's own connection. */
export interface ServerReport {
  readonly pool: string;
  /** `Date.now()` of the report. */
  readonly at: number;
  readonly product: string;
  /** Sessions that clients hold now, the monitor's included; `undefined` where it may not be seen. */
  readonly connections: number | undefined;
  /** `max_connections`, less those reserved for superusers. */
  readonly maxConnections: number | undefined;
  /** Sessions of this service's pool in this process, by backend id. */
  readonly own: number;
  /** Those that are idle inside a transaction, longest first; at most 20. */
  readonly idleInTransaction: readonly ServerSession[];
  /** Who blocks whom, heads of chains first; at most 20. */
  readonly blocking: readonly Blocking[];
  /** False behind a pooler: then backend ids name nobody, and nothing is joined to leases. */
  readonly joinsLeases: boolean;
  /** What could not be seen and what to do about it, such as a missing grant or a pooler in between. */
  readonly notes: readonly string[];
}
