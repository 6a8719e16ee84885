import type { IsolationLevel } from '../core/index.js';
import type { AmbientScope } from './ambient-scope.js';
import type { Frame } from './context.js';
import type { TransactionHolder, TransactionLease } from './managed-pool.js';

/** What one shared transaction cannot give to those who share it, and a test may do without. */
export const UNSHAREABLE = ['ISOLATION_LEVEL', 'REQUIRES_NEW', 'NOT_SUPPORTED'] as const;

/**
 * What a test may do without: `ISOLATION_LEVEL`, a level of its own for a transaction of the application;
 * `REQUIRES_NEW`, independence of such a transaction inside another one; `NOT_SUPPORTED`, the same for statements
 * outside the transaction that they are called in.
 */
export type Unshareable = (typeof UNSHAREABLE)[number];

export interface SharingOptions {
  /** The data sources that are shared; `undefined`: all. */
  readonly sources: readonly string[] | undefined;
  /** Which differences from connections of one's own are allowed. */
  readonly allow: readonly Unshareable[];
  /** Of the shared transaction. `undefined`: the server's default. */
  readonly isolationLevel: IsolationLevel | undefined;
  /** How long somebody waits for the transaction of another, in milliseconds. */
  readonly turnTimeoutMs: number;
}

/** Somebody who holds the shared connection, or waits for it. */
export interface Unfinished {
  readonly name: string;
  /** Where it asked. */
  readonly askedAt: Error;
}

/** What a shared transaction leaves behind. */
export interface SharedEnd {
  readonly unfinished: readonly Unfinished[];
  /** Why it may not have been rolled back as a whole. */
  readonly failure: Error | undefined;
}

/** One transaction on one connection: all who ask the data source for a connection meanwhile have a part of it. */
export interface SharedTransaction {
  /** A new session outside any transaction of the application, whose statements commit one by one. */
  session(frame: Frame | undefined): AmbientScope;
  /** A session for a transaction of the application. */
  acquire(holder: TransactionHolder): Promise<TransactionLease>;
  /** Whether a driver's pool leads to the database that the transaction was opened on. */
  servesPool(native: object): boolean;
  /** Waits up to `graceMs` milliseconds for what still runs, then rolls everything back. Never rejects. */
  end(graceMs: number): Promise<SharedEnd>;
}
