import type { LockHolder } from './lock.js';

/** Who it is, for a sentence: `host web-7d4, process 71, session 4711 of user shop, since 2026-11-27T20:20:57.000Z, applying V12__x.sql`. */
export function describeHolder(holder: LockHolder | undefined): string {
  if (!holder) return 'it has just let go';
  const { host, pid, backendId, user, since, migration } = holder;
  const parts = [
    host === undefined ? undefined : `host ${host}`,
    pid === undefined ? undefined : `process ${pid}`,
    backendId === undefined
      ? undefined
      : `session ${backendId}${user === undefined ? '' : ` of user ${user}`}`,
    since === undefined ? undefined : `since ${since.toISOString()}`,
    migration === undefined ? undefined : `applying ${migration}`,
  ].filter((part) => part !== undefined);
  return parts.length > 0 ? parts.join(', ') : 'this database user may not see who';
}
