import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '../statistics.js';
import { type DatabaseKind, holdfastCommand } from './programs.js';
import { runCommand } from './run-command.js';
import type { BenchServer } from './servers.js';

const MIGRATIONS = 1000;

/** `status` of a history of 1,000 applied migrations, as a whole process. */
export async function measureStatus(
  server: BenchServer,
  { database, rounds }: { database: DatabaseKind; rounds: number },
): Promise<string> {
  const folder = join(tmpdir(), `holdfast-bench-status-${process.pid}`);
  await mkdir(folder, { recursive: true });
  for (let n = 1; n <= MIGRATIONS; n++)
    await writeFile(join(folder, `V${n}__step_${n}.sql`), `SELECT ${n};\n`);
  const url = await server.create();
  const command = (verb: string) =>
    holdfastCommand([verb], { folder, url, driver: database === 'postgres' ? 'pg' : 'mariadb' });
  await runCommand(command('up'));
  const seconds: number[] = [];
  for (let round = 0; round < rounds + 1; round++)
    seconds.push((await runCommand(command('status'))).seconds);
  rmSync(folder, { recursive: true, force: true });
  return `${MIGRATIONS} applied migrations: ${median(seconds.slice(1)).toFixed(2)} s, whole process`;
}
