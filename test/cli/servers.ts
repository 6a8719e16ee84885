import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

/** A database to run the program on. */
export interface Server {
  readonly name: 'PostgreSQL' | 'MariaDB';
  readonly url: string;
  query(sql: string): Promise<Record<string, unknown>[]>;
}

/** Both databases, each empty before every test. */
export function useServers(): readonly Server[] {
  const postgres = useDatabase({ schema: '' });
  const mariadb = useMysqlDatabase([]);
  beforeEach(async () => {
    await postgres.query('DROP SCHEMA public CASCADE');
    await postgres.query('CREATE SCHEMA public');
    const tables = await mariadb.query<{ name: string }>(
      'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = database()',
    );
    for (const { name } of tables) await mariadb.query(`DROP TABLE \`${name}\``);
  });
  return [
    {
      name: 'PostgreSQL',
      get url() {
        return postgres.url;
      },
      query: (sql) => postgres.query(sql),
    },
    {
      name: 'MariaDB',
      get url() {
        return mariadb.url;
      },
      query: (sql) => mariadb.query(sql),
    },
  ];
}
