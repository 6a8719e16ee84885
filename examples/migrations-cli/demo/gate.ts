import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';

/** Holds back whoever comes to its statement. */
export interface Gate {
  /** SQL that waits until the gate is open, for a minute at most. */
  readonly statements: string;
  open(): Promise<void>;
}

/** Closes it, on a connection of its own. */
export async function closeGate(url: string): Promise<Gate> {
  if (url.startsWith('postgres')) {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query('SELECT pg_advisory_lock(4711)');
    return { statements: 'SELECT pg_advisory_xact_lock(4711);', open: () => client.end() };
  }
  const connection = await createConnection(url);
  await connection.query("DO GET_LOCK('migrations-cli', 0)");
  return {
    statements: "DO GET_LOCK('migrations-cli', 60);\nDO RELEASE_LOCK('migrations-cli');",
    open: () => connection.end(),
  };
}
