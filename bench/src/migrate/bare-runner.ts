import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The least that a runner on Node can do and still know what it has applied: each file and its row in one packet and, where
 * the database lets it, in one transaction. No lock, no checksum, no journal, no error with a line. What it takes, no runner
 * on this driver takes less of.
 */
async function main([driver = '', folder = '']: string[]): Promise<void> {
  const { query, end } = await connect(driver, process.env['DATABASE_URL'] ?? '');
  await query('CREATE TABLE bare_history (name varchar(255) PRIMARY KEY)');
  for (const name of readdirSync(folder).sort()) {
    const text = readFileSync(join(folder, name), 'utf8');
    await query(`BEGIN;\n${text}\nINSERT INTO bare_history (name) VALUES ('${name}');\nCOMMIT`);
  }
  await end();
}

interface Connection {
  readonly query: (text: string) => Promise<unknown>;
  readonly end: () => Promise<void>;
}

async function connect(driver: string, url: string): Promise<Connection> {
  if (driver === 'pg') {
    const { Client } = await import('pg');
    const client = new Client(url);
    await client.connect();
    return { query: (text) => client.query(text), end: () => client.end() };
  }
  const { createConnection } = await import('mysql2/promise');
  const connection = await createConnection({ uri: url, multipleStatements: true });
  return { query: (text) => connection.query(text), end: () => connection.end() };
}

void main(process.argv.slice(2));
