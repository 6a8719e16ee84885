import type { LockHolder } from '../../migrations/index.js';
import { printable, timestamp } from './text.js';

/** `held by web-2, process 4711, session 12, user shop, since 2026-01-31 12:00:00 UTC, applying V3__x.sql`. */
export function describeHolder(holder: LockHolder | undefined): string {
  if (!holder) return 'the holder is not known';
  const { host, pid, backendId, user, since, migration } = holder;
  const parts = [
    host,
    pid === undefined ? undefined : `process ${pid}`,
    backendId === undefined ? undefined : `session ${backendId}`,
    user === undefined ? undefined : `user ${user}`,
    since === undefined ? undefined : `since ${timestamp(since)} UTC`,
    migration === undefined ? undefined : `applying ${migration}`,
  ].filter((part) => part !== undefined);
  return printable(
    `held by ${parts.length > 0 ? parts.join(', ') : 'a session that says nothing of itself'}`,
  );
}
