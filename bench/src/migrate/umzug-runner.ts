import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Umzug, type UmzugStorage } from 'umzug';

/** A runner as a team writes it on umzug: a file is one query, the name is noted in a table. */
interface Connection {
  query(text: string): Promise<unknown>;
  end(): Promise<void>;
}

async function connect(driver: string, url: string): Promise<Connection> {
  if (driver === 'pg') {
    const { Client } = await import('pg');
    const client = new Client(url);
    await client.connect();
    return client;
  }
  const { createConnection } = await import('mysql2/promise');
  return createConnection({ uri: url, multipleStatements: true });
}

async function main([driver = '', folder = '']: string[]): Promise<void> {
  const connection = await connect(driver, process.env['DATABASE_URL'] ?? '');
  await connection.query('CREATE TABLE IF NOT EXISTS umzug_meta (name varchar(255) PRIMARY KEY)');
  const storage: UmzugStorage = {
    async logMigration({ name }) {
      await connection.query(`INSERT INTO umzug_meta (name) VALUES ('${name}')`);
    },
    async unlogMigration() {},
    executed: async () => [],
  };
  const names = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  const umzug = new Umzug({
    migrations: names.sort().map((name) => ({
      name,
      async up() {
        await connection.query('BEGIN');
        await connection.query(readFileSync(join(folder, name), 'utf8'));
        await connection.query('COMMIT');
      },
    })),
    storage,
    logger: undefined,
  });
  await umzug.up();
  await connection.end();
}

void main(process.argv.slice(2));
