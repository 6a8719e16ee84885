import type { Blocking, ServerReport, ServerSession } from '../server-report.js';
import { formatMs } from '../format.js';

/** `37 of 97 connections (38 %), 2 idle in transaction`; `undefined` where the server shows neither. */
export function serverText({
  connections,
  maxConnections,
  idleInTransaction,
}: ServerReport): string | undefined {
  const parts: string[] = [];
  if (connections !== undefined && maxConnections !== undefined && maxConnections > 0) {
    const share = Math.round((100 * connections) / maxConnections);
    parts.push(`${connections} of ${maxConnections} connections (${share} %)`);
  } else if (connections !== undefined) {
    parts.push(`${connections} connections`);
  }
  if (idleInTransaction.length > 0) parts.push(`${idleInTransaction.length} idle in transaction`);
  return parts.length > 0 ? parts.join(', ') : undefined;
}

/** The blocker of most sessions, by source line where it is a lease of this process; `undefined` where nobody blocks. */
export function blockingText({ blocking }: ServerReport): string | undefined {
  const first = blocking[0];
  if (!first) return undefined;
  const more = blocking.length - 1;
  return `${describeBlocking(first)}${more > 0 ? `; ${more} more` : ''}`;
}

/** `pid 4711 (OrderService.place (src/order.service.ts:42)) blocks pid 4712 (…) for 12 s: orders`. */
export function describeBlocking({ blocker, blocked, waitMs, lock }: Blocking): string {
  const since = waitMs === undefined ? '' : ` for ${formatMs(waitMs)}`;
  return `${describeSession(blocker)} blocks ${describeSession(blocked)}${since}${lock === undefined ? '' : `: ${lock}`}`;
}

/** The backend, and whose it is as far as that is known. */
export function describeSession({ backendId, site, application }: ServerSession): string {
  const whose = site ?? application;
  return whose === undefined || whose === '' ? `pid ${backendId}` : `pid ${backendId} (${whose})`;
}
