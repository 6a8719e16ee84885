import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { ManageablePool, ManagedPool } from 'holdfast';
import { maskStatement } from '../../../src/pool-monitor/mask-statement.js';
import type { LeaseReport } from '../../../src/pool-monitor/report.js';
import { keepConnection, type KeptConnection, ServerWatch } from '../../../src/pool-monitor/server/index.js';

/** The leases of a pool as the monitor reports them, as far as the server's side needs that. */
export function reportsOf(managed: ManagedPool): LeaseReport[] {
  return managed.leases().map((lease) => {
    const usage = managed.usage(lease);
    return {
      id: lease.id,
      kind: lease.kind,
      holder: lease.holder,
      place: undefined,
      site: lease.holder ?? siteOf(lease.askedAt?.stack),
      request: undefined,
      ageMs: 0,
      idleMs: 0,
      statement: usage?.statement === undefined ? undefined : maskStatement(usage.statement, managed.dialect),
      running: usage?.running ?? false,
      inTransaction: usage?.inTransaction ?? false,
      backendId: lease.backendId,
      allowed: undefined,
      verdict: undefined,
    };
  });
}

/** The first frame in a test. */
function siteOf(stack: string | undefined): string {
  const [, file, line] = /(\/[^:()]*\.test\.ts):(\d+)/.exec(stack ?? '') ?? [];
  return file === undefined ? 'unknown' : `${relative(process.cwd(), file)}:${line}`;
}

/** The place of the line after the first one that has this in it. */
export function siteBelow(file: string, text: string): string {
  const index = readFileSync(file, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text));
  return `${relative(process.cwd(), file)}:${index + 2}`;
}

export interface Watching {
  readonly connection: KeptConnection;
  readonly watch: ServerWatch;
}

/** A monitor's connection and what looks over it, ended with the test. */
export async function watchServer(
  managed: ManagedPool,
  defer: (closer: () => Promise<void>) => void,
  through?: ManageablePool,
): Promise<Watching> {
  const connection = keepConnection(managed, { instance: 'pod-1', through });
  defer(() => connection.stop());
  await connection.start();
  const watch = new ServerWatch({ pool: managed, connection, route: through ? 'given' : 'beside' });
  return { connection, watch };
}
