import type { SideConnection, SideRow } from '../../connection/index.js';

/** What is learnt of a session when it is opened. */
export interface SessionFacts {
  readonly backendId: number;
  /** With the id it tells the session apart from a later one that gets the same id. */
  readonly mark: string;
  /** Such as `PostgreSQL 18.1` or `MariaDB 10.11.6`. */
  readonly product: string;
  /** `server_version_num` of PostgreSQL; 80036 for MySQL 8.0.36. */
  readonly version: number;
  readonly isMariadb: boolean;
  /** Who it is logged in as, as GRANT wants it written. */
  readonly user: string;
}

/** A session that the monitor holds. */
export interface OpenSession extends SessionFacts {
  readonly side: SideConnection;
  /** False behind a pooler: what is set on the session, or locked by it, may be another's a moment later. */
  readonly isDirect: boolean;
}

/** How a family of servers is talked to on the monitor's connection. */
export interface SessionWords {
  /** Learns the facts of a session. One row. */
  readonly look: string;
  read(row: SideRow): SessionFacts;
  /** Sets limits on a session that is ours alone. `limitMs`: for one statement. */
  settings(facts: SessionFacts, limitMs: number): string;
  /** Whether a session of before is still there, and its end. */
  find(stale: SessionFacts): string;
  end(stale: SessionFacts): string;
}

/** A value that drivers hand over as a text, a number or a bigint. */
export function numberOf(value: unknown): number {
  return Number(value);
}

/** {@link numberOf} for what may be NULL. */
export function maybeNumber(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return Buffer.isBuffer(value) ? value.toString() : undefined;
}

/** As a literal of SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
