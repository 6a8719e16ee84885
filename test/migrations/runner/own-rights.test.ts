import { HoldfastError } from '../../../src/core/index.js';
import { MissingRightsError } from '../../../src/migrations/index.js';
import { ENGINES, failureOf, usePostgres, useWorkspace } from './workspace.js';

const HISTORY = 'holdfast_schema_history';

describe.each(ENGINES)('a user of %s without a right on the history', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  const user = `lacking_${driver}_${process.pid}`;
  const isPostgres = driver === 'pg';
  const asUser = (): { url: string } => {
    const url = new URL(engine.url);
    [url.username, url.password] = [user, 'weak'];
    return { url: url.href };
  };
  const grantee = isPostgres ? user : `'${user}'@'%'`;

  beforeEach(async () => {
    await engine.query(
      isPostgres
        ? `CREATE ROLE ${user} LOGIN PASSWORD 'weak'`
        : `CREATE USER ${grantee} IDENTIFIED BY 'weak'`,
    );
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    await files.migrator().up();
    if (isPostgres) await engine.query(`GRANT USAGE, CREATE ON SCHEMA public TO ${user}`);
  });
  afterEach(async () => {
    if (isPostgres) await engine.query(`DROP OWNED BY ${user}`);
    await engine.query(isPostgres ? `DROP ROLE ${user}` : `DROP USER ${grantee}`);
  });

  test('is told the grant, by an error of ours', async () => {
    await engine.query(`GRANT INSERT ON ${HISTORY} TO ${grantee}`);
    const error = await failureOf<HoldfastError>(files.migrator(asUser()).status());
    expect(error).toBeInstanceOf(MissingRightsError);
    expect(error).toMatchObject({ code: 'MISSING_RIGHTS', retryable: false });
    expect(error.message).toMatch(/GRANT SELECT, INSERT, UPDATE, DELETE ON .*holdfast_schema_history. TO/);
  });

  test('is told by the doctor which rights are missing, and the grant', async () => {
    await engine.query(`GRANT SELECT, INSERT ON ${HISTORY} TO ${grantee}`);
    const { checks } = await files.migrator(asUser()).doctor();
    const rights = checks.find(({ name }) => name === 'rights');
    expect(rights?.result).not.toBe('ok');
    expect(rights?.message).toMatch(
      /UPDATE, DELETE on .*holdfast_schema_history.*: GRANT SELECT, INSERT, UPDATE, DELETE ON .*holdfast_schema_history/,
    );
  });

  test('is told the grant by the doctor where the history cannot be read', async () => {
    await engine.query(`GRANT INSERT ON ${HISTORY} TO ${grantee}`);
    const { checks } = await files.migrator(asUser()).doctor();
    const migrations = checks.find(({ name }) => name === 'migrations');
    expect(migrations).toMatchObject({ result: 'failed' });
    expect(migrations?.message).toContain('GRANT SELECT, INSERT, UPDATE, DELETE');
  });
});

describe('a query of our own that fails for another reason', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  test('is an error of ours, which says whether to try again', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    await files.migrator().up();
    await engine.query(`ALTER TABLE ${HISTORY} RENAME COLUMN checksum TO renamed`);
    const error = await failureOf<HoldfastError>(files.migrator().status());
    expect(error).toMatchObject({ code: 'STATEMENT_FAILED', retryable: false });
    expect(error.message).toMatch(/column "checksum" does not exist \[42703\]/);
  });
});
