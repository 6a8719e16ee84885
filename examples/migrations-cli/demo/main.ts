import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDatabase } from '../../with-database.js';
import { play } from './acts.js';
import { Project } from './project.js';

/** Plays the deploys on the database of `url`, or on a PostgreSQL of its own. Answers the exit code. */
export async function run(url: string | undefined): Promise<number> {
  if (url === undefined) return withDatabase('SELECT 1', playOn);
  try {
    await playOn(url);
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  }
}

/** In a copy of the example: the acts edit and break its migrations. */
async function playOn(url: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-cli-'));
  try {
    const example = join(process.cwd(), 'examples/migrations-cli');
    for (const name of ['migrations', 'holdfast.config.ts'])
      await cp(join(example, name), join(folder, name), { recursive: true });
    await play(new Project(folder, url));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
