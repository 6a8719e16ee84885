import type { ServerSession } from '../server-report.js';
import type { OpenSession } from './session-facts.js';

/** A session as the server tells of it. */
export interface SeenSession extends Omit<ServerSession, 'leaseId' | 'site'> {
  readonly isIdleInTransaction: boolean;
}

/** One waits for the other, by their ids. */
export interface SeenWait {
  readonly blocked: number;
  readonly blocker: number;
  readonly waitMs: number | undefined;
  readonly lock: string | undefined;
}

/** What one look at a server shows. */
export interface ServerView {
  /** The session that was asked: another one than before behind a pooler. */
  readonly askedId: number;
  readonly connections: number | undefined;
  readonly maxConnections: number | undefined;
  readonly sessions: readonly SeenSession[];
  readonly waits: readonly SeenWait[];
  readonly notes: readonly string[];
}

export type Ask = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** How a family of servers is looked at. */
export interface ServerWords {
  /** `of`: ids of sessions that are wanted in any case. At most two questions. */
  look(ask: Ask, session: OpenSession, of: readonly number[]): Promise<ServerView>;
}

/** How many sessions and waits of a kind are reported. */
export const SHOWN = 20;
