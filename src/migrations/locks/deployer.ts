import { hostname } from 'node:os';
import type { LockHolder } from './lock.js';

const PREFIX = 'holdfast migrate';
/** `NAMEDATALEN - 1`: the server cuts off what is longer. */
const MOST_BYTES = 63;
const MOST_HOST = 20;

/** This process, as other deployers are to see it. */
export interface Deployer {
  readonly host: string;
  readonly pid: number;
}

export function thisDeployer(): Deployer {
  return { host: hostname(), pid: process.pid };
}

/**
 * A deployer and what it runs in the 63 bytes of an `application_name`: `holdfast migrate …d8f6-x2x4z:71 V12__add_orders.sql`.
 * Of a long host name the end is kept, which tells the pods of one deployment apart; of a script the beginning.
 */
export function deployerLabel({ host, pid }: Deployer, migration?: string): string {
  const end = host.length > MOST_HOST ? `~${host.slice(1 - MOST_HOST)}` : host;
  const script = migration === undefined ? '' : ` ${migration}`;
  return inAscii(`${PREFIX} ${end.replace(/\s/g, '_')}:${pid}${script}`).slice(0, MOST_BYTES);
}

/** As the server does it with what is not ASCII. */
function inAscii(text: string): string {
  return text.replace(/[^ -~]/g, '?');
}

/** Whether a holder may be at that script: it says so, as far as its label has room, or nobody knows what it is at. */
export function mayBeAt({ host, migration }: LockHolder, script: string): boolean {
  if (migration === undefined) return host === undefined;
  return script === migration || inAscii(script).startsWith(migration);
}

/** Reads what {@link deployerLabel} wrote; nothing of any other application's name. */
export function readDeployerLabel(label: string): Pick<LockHolder, 'host' | 'pid' | 'migration'> {
  const [, host, pid, migration] = /^holdfast migrate (\S+):(\d+)(?: (.+))?$/.exec(label) ?? [];
  if (host === undefined) return {};
  return { host, pid: Number(pid), ...(migration !== undefined && { migration }) };
}
