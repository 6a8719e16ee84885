import { chownSync, cpSync, lchownSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { startPostgres } from './postgres.js';
import type { RunningServer, ServerOwner } from './private-server.js';

/** Starts a hot standby that follows a server of ours. */
export function startStandby(primary: RunningServer): Promise<RunningServer> {
  const { password } = new URL(primary.url);
  return startPostgres({ copyOf: { password, copyTo: (target) => copyAsStandby(primary, target) } });
}

/**
 * Makes `data` a standby of a server of ours that runs: what pg_basebackup does, which the binaries of npm do not have.
 * https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 */
async function copyAsStandby(
  primary: RunningServer,
  { data, owner }: { readonly data: string; readonly owner: ServerOwner },
): Promise<void> {
  const client = new Client({ connectionString: primary.url });
  await client.connect();
  try {
    await client.query("SELECT pg_backup_start('standby', fast => true)");
    cpSync(join(primary.directory, 'data'), data, { recursive: true, verbatimSymlinks: true });
    const { rows } = await client.query<{ labelfile: string }>(
      'SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)',
    );
    writeFileSync(join(data, 'backup_label'), rows[0]!.labelfile);
  } finally {
    await client.end();
  }
  for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(join(data, name), { force: true });
  const { hostname, port, username, password } = new URL(primary.url);
  writeFileSync(join(data, 'standby.signal'), '');
  writeFileSync(
    join(data, 'postgresql.auto.conf'),
    `primary_conninfo = 'host=${hostname} port=${port} user=${username} password=${password}'\n`,
  );
  if (owner.uid === undefined) return;
  chownSync(data, owner.uid, owner.gid ?? 0);
  for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' }))
    lchownSync(join(data, name), owner.uid, owner.gid ?? 0);
}
