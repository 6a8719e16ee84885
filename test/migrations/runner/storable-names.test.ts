import { ValidationFailedError } from '../../../src/migrations/index.js';
import type { MigratorOptions } from '../../../src/migrations/index.js';
import { failureOf, useMariadb, useWorkspace } from './workspace.js';

const BEFORE = { 'V1__a.sql': 'CREATE TABLE a (id int)' };
const FILES = {
  ...BEFORE,
  'V2__b😀.sql': 'INSERT INTO a VALUES (1)',
  'V3__таблица.sql': 'CREATE TABLE b (id int);\nINSERT INTO b VALUES (1)',
  'V4__é.sql': 'SET @x = 1;\nINSERT INTO a VALUES (2)',
};
const SCRIPTS = Object.keys(FILES);

describe.each(['mysql2', 'mariadb'] as const)('names of files in a database in latin1, by %s', (driver) => {
  const engine = useMariadb(driver);
  const files = useWorkspace(engine);
  beforeEach(() => engine.query('ALTER DATABASE CHARACTER SET latin1'));

  const rows = async (table: string): Promise<unknown[]> =>
    (await engine.query(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id);

  test.each<[string, Partial<MigratorOptions>]>([
    ['a session lock', {}],
    ['a lease', { lock: { kind: 'lease' } }],
  ])('may have any characters, under %s', async (_, options) => {
    files.write(FILES);
    const migrator = files.migrator(options);
    const { applied } = await migrator.up();
    expect(applied.map(({ script }) => script)).toEqual(SCRIPTS);
    const { entries } = await migrator.status();
    expect(entries.map(({ script }) => script)).toEqual(SCRIPTS);
    expect(await migrator.up()).toMatchObject({ applied: [] });
    expect(await rows('a')).toEqual([1, 2]);
    expect(
      await engine.query(
        "SELECT DISTINCT table_collation AS c FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'holdfast%'",
      ),
    ).toEqual([{ c: 'utf8mb4_bin' }]);
  });

  test.each([
    ['holdfast_migration_lock', 'latin1', 'V2__b😀.sql'],
    ['holdfast_migration_journal', 'latin1', 'V2__b😀.sql'],
    ['holdfast_schema_history', 'utf8mb3', 'V2__b😀.sql'],
    ['holdfast_schema_history', 'koi8r', 'V2__b😀.sql'],
  ])('are refused before anything is run where %s is in %s', async (table, charset, script) => {
    files.write(BEFORE);
    await files.migrator().up();
    await engine.query(`ALTER TABLE ${table} CONVERT TO CHARACTER SET ${charset}`);
    files.write(FILES);
    const error = await failureOf<ValidationFailedError>(files.migrator().up());
    expect(error).toBeInstanceOf(ValidationFailedError);
    expect(error.message).toContain(`${script}: its name has characters`);
    expect(error.message).toContain(`${table}\` (${charset})`);
    expect(await rows('a')).toEqual([]);
    const alter = /ALTER TABLE .*$/.exec(error.message)![0];
    await engine.query(alter);
    expect((await files.migrator().up()).applied).toHaveLength(3);
  });

  test("are refused by Flyway's table, which stays as Flyway makes it, but those that it can hold", async () => {
    const options: Partial<MigratorOptions> = { history: { format: 'flyway' } };
    const { 'V2__b😀.sql': emoji, ...rest } = FILES;
    files.write({ ...BEFORE, 'V2__é.sql': emoji });
    expect((await files.migrator(options).up()).applied).toHaveLength(2);
    files.write(rest);
    const error = await failureOf<ValidationFailedError>(files.migrator(options).up());
    expect(error.message).toMatch(
      /^V3__таблица\.sql: .*flyway_schema_history` \(latin1\).*No migration was run\. Rename the file, or: ALTER TABLE/,
    );
    expect(await engine.tables()).not.toContain('b');
  });
});
