import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The least that a runner on Node can do and still know what it has applied: each file and its row in one packet and, where
 * the database lets it, in one transaction. No lock, no checksum, no journal, no error with a line. What it takes, no runner
 * on this driver takes less of.
 */
async function main([driver = '', folder = '', journal]: string[]): Promise<void> {
  const { query, end } = await connect(driver, process.env['DATABASE_URL'] ?? '');
  await query('CREATE TABLE bare_history (name varchar(255) PRIMARY KEY)');
  if (journal)
    await query('CREATE TABLE bare_journal (name varchar(255) PRIMARY KEY, statement varchar(500))');
  for (const name of readdirSync(folder).sort()) {
    const text = readFileSync(join(folder, name), 'utf8');
    const row = `INSERT INTO bare_history (name) VALUES ('${name}')`;
    await query(journal ? journaled(name, text, row) : `BEGIN;\n${text}\n${row};\nCOMMIT`);
  }
  await end();
}

/**
 * Where DDL commits by itself, a crash behind it can be told only by what was committed before it: the row of the CREATE
 * TABLE, which commits it, and then runs. What follows is one transaction with the row of the history.
 */
function journaled(name: string, text: string, row: string): string {
  const [ddl = '', ...rest] = text.trim().split('\n');
  const note = `INSERT INTO bare_journal VALUES ('${name}', '${ddl.replace(';', '')}')`;
  const forget = `DELETE FROM bare_journal WHERE name = '${name}'`;
  return [
    'BEGIN',
    note,
    ddl.replace(';', ''),
    'BEGIN',
    ...rest.map((line) => line.replace(/;$/, '')),
    row,
    forget,
    'COMMIT',
  ].join(';\n');
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
