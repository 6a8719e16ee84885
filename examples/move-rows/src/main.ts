import { createPool } from 'mysql2/promise';
import { Pool } from 'pg';
import { managePool } from 'holdfast';
import { ChatMover } from './chat-mover.js';

/** Moves the rows from SOURCE_URL (MySQL or MariaDB) to TARGET_URL (PostgreSQL), CHUNK_SIZE at a time. Answers the exit code. */
export async function run(env: NodeJS.ProcessEnv): Promise<number> {
  const chunkSize = Number(env['CHUNK_SIZE'] ?? 500);
  if (!Number.isSafeInteger(chunkSize) || chunkSize < 1) {
    say(`CHUNK_SIZE is "${env['CHUNK_SIZE']}"; it is a number of rows: give a whole number from 1 on.`);
    return 1;
  }
  const source = createPool({
    uri: env['SOURCE_URL']!,
    connectionLimit: 1,
    // Ids beyond 2^53, and times of no time zone, as they are.
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
  });
  const target = new Pool({ connectionString: env['TARGET_URL'], max: 1 });
  target.on('error', ({ message }) => say(`the target's connection: ${message}`));
  managePool(source, { name: 'source' });
  managePool(target, { name: 'target' });
  try {
    await new ChatMover(source, target, chunkSize).moveAll(say);
    say('nothing is left to move');
    return 0;
  } catch (error) {
    say((error as Error).message);
    return 1;
  } finally {
    await Promise.all([source.end(), target.end()]);
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
