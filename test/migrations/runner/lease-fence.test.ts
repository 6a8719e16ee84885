import { failureOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';
import { LockLostError } from '../../../src/migrations/index.js';
import type { MigrationEvent } from '../../../src/migrations/index.js';

const LEASE = { lock: { kind: 'lease' } } as const;

const engines = [
  ['PostgreSQL', usePostgres, 'CREATE INDEX CONCURRENTLY a_n ON a (n)', 'SELECT pg_sleep(60)'],
  ['MariaDB by mysql2', () => useMariadb('mysql2'), 'CREATE INDEX a_n ON a (n)', 'SELECT SLEEP(60)'],
  ['MariaDB by mariadb', () => useMariadb('mariadb'), 'CREATE INDEX a_n ON a (n)', 'SELECT SLEEP(60)'],
] as const;

/** As `unlock` does it where it may not end the session. */
const TAKE_AWAY = 'UPDATE holdfast_migration_lock SET owner = NULL';

describe.each(engines)('a lease on %s', (_, use, alone, sleep) => {
  const engine = use();
  const files = useWorkspace(engine);

  test('unlock ends the migration that runs under it, and the next up has it for itself', async () => {
    files.write({ 'V1__a.sql': sleep });
    let running: Promise<Error> | undefined;
    await new Promise<void>((started) => {
      const onEvent = ({ kind }: MigrationEvent): void => void (kind === 'started' && started());
      running = failureOf(files.migrator({ ...LEASE, onEvent }).up());
    });
    expect(await files.migrator(LEASE).unlock()).toMatchObject({ released: true, cutOff: true });
    await running;
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    await engine.query('DROP TABLE IF EXISTS holdfast_migration_journal');
    expect((await files.migrator(LEASE).up()).applied).toHaveLength(1);
  });

  test('that is gone stops a statement that stands alone before it is sent', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': `-- no-transaction\nINSERT INTO a VALUES (1);\n${TAKE_AWAY};\n${alone};\nINSERT INTO a VALUES (2);`,
    });
    const error = await failureOf(files.migrator(LEASE).up());
    expect(error).toBeInstanceOf(LockLostError);
    expect(error.message).toContain('V2__b.sql');
    expect(error.message).toContain('migrate status');
    expect(error.message).not.toContain('correct the');
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }]);
  });

  test('that is gone keeps a transaction from committing', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': `INSERT INTO a VALUES (1);\n${TAKE_AWAY};`,
    });
    expect(await failureOf(files.migrator(LEASE).up())).toBeInstanceOf(LockLostError);
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
  });

  test('a statement that somebody else has in the journal already is their work, and no fault of the file', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': `-- no-transaction\nINSERT INTO a VALUES (1);\nINSERT INTO holdfast_migration_journal (script_id, first_statement, last_statement, history, script, sha256, line, statement, backend_id, started_at) SELECT script_id, 3, 3, history, script, sha256, line, statement, backend_id, started_at FROM holdfast_migration_journal WHERE first_statement = 1 AND script = 'V2__b.sql';\n${alone};`,
    });
    const error = await failureOf(files.migrator(LEASE).up());
    expect(error).toBeInstanceOf(LockLostError);
    expect(error.message).toContain('somebody else');
    expect(error.message).not.toContain('correct the');
  });
});
