import { setImmediate } from 'node:timers/promises';
import type { MigrationSession } from '../database/session.js';
import { languageOf } from './language.js';
import { loadUmzug } from './load-umzug.js';
import type { runTasks } from './run-tasks.js';

/** All that runs migrations on the session. In pieces: between them it is seen to what the server has answered. */
export async function loadRunTasks(session: MigrationSession): Promise<typeof runTasks> {
  await languageOf(session);
  await setImmediate();
  await loadUmzug();
  await setImmediate();
  return (await import('./run-tasks.js')).runTasks;
}
