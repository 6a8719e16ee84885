import type { SqlStatement, Statement } from '../../sql/statement.js';
import type { Behind, DeferredStatement, RunHow } from '../session.js';
import type { BatchFailure, PgBatch } from './pg-batch.js';

export interface SendFailure extends BatchFailure {
  /** Whether it is that of what it was sent behind. */
  readonly isOfPrevious: boolean;
}

/** How statements are sent in chunks. */
export interface ChunkHow extends RunHow {
  /** What travels behind the last statement. */
  readonly behind: readonly DeferredStatement[];
  readonly onSent?: Behind['onSent'];
}

/** Statements that are with the server, and what travelled with them. */
export interface SentChunk {
  readonly batch: PgBatch;
  readonly chunk: readonly SqlStatement[];
  readonly before: readonly DeferredStatement[];
  readonly after: readonly DeferredStatement[];
  readonly sending: Promise<SendFailure | undefined>;
}

/** Not ROLLBACK TO, which takes a failure back. */
const REFUSED_AFTER_FAILURE = /^(?:insert|update|delete|merge|select|create|alter|comment|grant)\b/i;

/** Whether the server refuses a chunk that begins with that statement, and with it the rest, in a transaction that has failed. */
export function isRefusedAfterFailure(next: Statement | undefined): boolean {
  return next !== undefined && next.kind !== 'copy' && REFUSED_AFTER_FAILURE.test(next.text);
}
