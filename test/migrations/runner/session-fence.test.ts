import { LockLostError } from '../../../src/migrations/index.js';
import { failureOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const postgres = {
  alone: 'CREATE INDEX CONCURRENTLY a_n ON a (n)',
  giveUp: 'SELECT pg_advisory_unlock_all()',
  noRows: "SELECT 1 FROM (SELECT pg_advisory_unlock_all()::text AS t) AS gone WHERE t = 'none'",
};
const mariadb = {
  alone: 'CREATE INDEX a_n ON a (n)',
  giveUp: 'DO RELEASE_ALL_LOCKS()',
  noRows: 'SELECT 1 FROM DUAL WHERE RELEASE_ALL_LOCKS() = -1',
};
const engines = [
  { name: 'PostgreSQL', use: usePostgres, ...postgres },
  { name: 'MariaDB by mysql2', use: () => useMariadb('mysql2'), ...mariadb },
  { name: 'MariaDB by mariadb', use: () => useMariadb('mariadb'), ...mariadb },
];

describe.each(engines)('a session lock on $name', ({ use, alone, giveUp, noRows }) => {
  const engine = use();
  const files = useWorkspace(engine);
  const indexes = async (): Promise<number> => {
    const catalogue =
      engine.driver === 'pg'
        ? "SELECT indexname FROM pg_indexes WHERE indexname = 'a_n'"
        : "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name = 'a_n'";
    return (await engine.query(catalogue)).length;
  };

  test('that is gone keeps a transaction from committing, and its row out of the history', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': `INSERT INTO a VALUES (1);\n${giveUp};\nINSERT INTO a VALUES (2);`,
    });
    const error = await failureOf(files.migrator().up());
    expect(error).toBeInstanceOf(LockLostError);
    expect(error.message).toContain('V2__b.sql');
    expect(error.message).toContain('the session does not hold it any more');
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
    const { pending, problems } = await files.migrator().status();
    expect(pending).toEqual(['V2__b.sql']);
    expect(problems).toEqual([]);
  });

  test('that is gone stops a statement that stands alone, which travels with the row that says it was sent', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      // The last that is sent before it.
      'V2__b.sql': `-- verify before: ${noRows}\n${alone};`,
    });
    expect(await failureOf(files.migrator().up())).toBeInstanceOf(LockLostError);
    expect(await indexes()).toBe(0);
    expect(await engine.query('SELECT script FROM holdfast_migration_journal')).toEqual([]);
  });

  test('that is gone after DDL keeps what follows it from committing', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': `${alone};\nINSERT INTO a VALUES (1);\n${giveUp};`,
    });
    expect(await failureOf(files.migrator().up())).toBeInstanceOf(LockLostError);
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
    expect(await indexes()).toBe(1);
  });
});
