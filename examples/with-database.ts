import { Client } from 'pg';
import { startPostgres } from '../test/harness/postgres.js';

/** Runs `play` on a PostgreSQL of its own with these tables. Answers the exit code: what is thrown is printed. */
export async function withDatabase(tables: string, play: (url: string) => Promise<void>): Promise<number> {
  const postgres = await startPostgres();
  try {
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    await client.query(tables);
    await client.end();
    await play(postgres.url);
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  } finally {
    await postgres.stop();
  }
}
