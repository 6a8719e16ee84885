import { failureOf, notesOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

const MADE = new Date('2024-02-03T04:05:06Z');

describe.each(engines)('taken over by %s', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  /** A literal of what the column holds, whatever the zone of the session. */
  const time = (epochMs: number): string =>
    driver === 'pg'
      ? `to_timestamp(${epochMs / 1000}) AT TIME ZONE current_setting('TimeZone')`
      : `FROM_UNIXTIME(${epochMs / 1000})`;
  const scriptsOf = (applied: readonly { readonly script: string }[]): string[] =>
    applied.map(({ script }) => script);
  const statesOf = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await files.migrator().status()).entries.map(({ script, state }) => [script, state]));

  describe('from Flyway', () => {
    beforeEach(async () => {
      await files.migrator({ history: 'flyway' }).baseline();
      await engine.query('DELETE FROM flyway_schema_history');
    });
    const insert = (rank: number, row: string): Promise<unknown> =>
      engine.query(
        `INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success, installed_on) VALUES (${rank}, ${row}, 'flo', 1234, true, ${time(MADE.getTime())})`,
      );
    const adopt = async () => files.migrator().adopt({ from: 'flyway' });

    test('a repeatable one that was edited is told and runs at the next up', async () => {
      await insert(1, "NULL, 'r', 'SQL', 'R__r.sql', 77");
      files.write({ 'R__r.sql': 'CREATE TABLE r (n INT)' });
      expect(await adopt()).toEqual({
        adopted: ['R__r.sql'],
        notes: ['R__r.sql was edited since flyway ran it: the next `up` runs it again.'],
      });
      expect(await statesOf()).toEqual({ 'R__r.sql': 'OUTDATED' });
      expect(scriptsOf((await files.migrator().up()).applied)).toEqual(['R__r.sql']);
      expect(await engine.tables()).toEqual(['r']);
      expect((await adopt()).adopted).toEqual([]);
    });

    test('of a repeatable one that ran twice the last run counts', async () => {
      files.write({ 'R__r.sql': 'SELECT 1' });
      await files.migrator({ history: 'flyway' }).up();
      await engine.query('UPDATE flyway_schema_history SET installed_rank = 7');
      await insert(1, "NULL, 'r', 'SQL', 'R__r.sql', 77");
      expect((await adopt()).notes).toEqual([]);
      expect((await files.migrator().up()).applied).toEqual([]);
    });

    test('a version that was edited is told, refused, and realigned by repair', async () => {
      await insert(1, "'2', 'b', 'SQL', 'V2__b.sql', 77");
      files.write({ 'V2__b.sql': 'CREATE TABLE b (n INT)' });
      const { adopted, notes } = await adopt();
      expect(adopted).toEqual(['V2__b.sql']);
      expect(notes).toEqual([
        expect.stringMatching(
          /^V2__b\.sql was edited after it was applied on 2024-02-03: its checksum was 77 /,
        ),
      ]);
      expect(await statesOf()).toEqual({ 'V2__b.sql': 'CHANGED' });
      expect(await failureOf(files.migrator().up())).toMatchObject({ code: 'VALIDATION_FAILED' });
      await files.migrator().repair();
      expect((await files.migrator().validate()).problems).toEqual([]);
    });

    test('what has no checksum there, or one of a Java class, is taken as it is', async () => {
      await insert(1, "'1', 'a', 'SQL', 'V1__a.sql', NULL");
      await insert(2, "'2', 'b', 'JDBC', 'db.migration.V2__b', 77");
      files.write({ 'V1__a.sql': 'SELECT 1', 'V2__b.sql': 'SELECT 2' });
      expect(await adopt()).toEqual({ adopted: ['V1__a.sql', 'V2__b.sql'], notes: [] });
      expect((await files.migrator().validate()).problems).toEqual([]);
      files.write({ 'V1__a.sql': 'SELECT 2' });
      expect(await statesOf()).toMatchObject({ 'V1__a.sql': 'CHANGED' });
    });

    test('when, by whom and how long are kept', async () => {
      await insert(1, "'1', 'a', 'SQL', 'V1__a.sql', NULL");
      files.write({ 'V1__a.sql': 'SELECT 1' });
      await adopt();
      expect((await files.migrator().status()).entries).toMatchObject([
        { installedOn: MADE, installedBy: 'flo', executionTimeMs: 1234 },
      ]);
      const [row] = await engine.query(
        `SELECT COUNT(*) AS n FROM holdfast_schema_history h JOIN flyway_schema_history f ON f.installed_on = h.installed_on`,
      );
      expect(Number(row!['n'])).toBe(1);
    });

    test('a file that the baseline covers is not said to run', async () => {
      await insert(1, "'1', '<< Flyway Baseline >>', 'BASELINE', '<< Flyway Baseline >>', NULL");
      files.write({ 'V1__one.sql': 'SELECT 1', 'V2__two.sql': 'SELECT 1' });
      expect((await adopt()).notes).toEqual([
        'V1__one.sql has no row of flyway and is not above the baseline: it counts as applied, and `up` does not run it.',
        'V2__two.sql has no row of flyway: the next `up` runs it.',
      ]);
      expect(scriptsOf((await files.migrator().up()).applied)).toEqual(['V2__two.sql']);
    });

    test('a file below what was applied is not said to run: up refuses it', async () => {
      await insert(1, "'2', 'two', 'SQL', 'V2__two.sql', NULL");
      files.write({ 'V1__one.sql': 'SELECT 1', 'V2__two.sql': 'SELECT 1' });
      expect((await adopt()).notes).toEqual([
        expect.stringMatching(/^V1__one\.sql is not applied, and version 2 already is\./),
      ]);
    });

    test('that it created the schema is no migration', async () => {
      await insert(0, `NULL, '<< Flyway Schema Creation >>', 'SCHEMA', '"public"', NULL`);
      expect((await files.migrator({ history: 'flyway' }).status()).entries).toEqual([]);
      expect(await adopt()).toEqual({ adopted: [], notes: [] });
    });

    test('a table that cannot keep the checksum says so', async () => {
      await insert(1, "'2', 'b', 'SQL', 'V2__b.sql', 77");
      files.write({ 'V2__b.sql': 'SELECT 1' });
      expect((await files.migrator({ history: 'prisma' }).adopt({ from: 'flyway' })).notes).toEqual([
        expect.stringMatching(
          /^V2__b\.sql is not the file that was applied, and .+ cannot keep the checksum/,
        ),
      ]);
      expect((await files.migrator({ history: 'prisma' }).status()).entries).toMatchObject([
        { script: 'V2__b.sql', installedOn: new Date(MADE.getTime() - 1234), executionTimeMs: 1234 },
      ]);
    });
  });

  describe('from Prisma', () => {
    const script = '20240101000000_a/migration.sql';
    const applied = async (text: string): Promise<void> => {
      files.write({ [script]: text });
      await files.migrator({ history: 'prisma' }).up();
    };
    const adopt = async () => files.migrator().adopt({ from: 'prisma' });

    test('an edited file is told, refused, and realigned by repair', async () => {
      await applied('CREATE TABLE a (n INT);\n');
      files.write({ [script]: 'CREATE TABLE a (n INT, m INT);\n' });
      expect((await adopt()).notes).toEqual([expect.stringMatching(/was edited after it was applied on /)]);
      expect(await statesOf()).toEqual({ [script]: 'CHANGED' });
      await files.migrator().repair();
      expect(await statesOf()).toEqual({ [script]: 'SUCCESS' });
    });

    test('other line ends are no edit', async () => {
      await applied('CREATE TABLE a (\nn INT);\n');
      files.write({ [script]: 'CREATE TABLE a (\r\nn INT);\r\n' });
      expect((await adopt()).notes).toEqual([]);
      expect(await statesOf()).toEqual({ [script]: 'SUCCESS' });
    });

    test('when and how long are kept', async () => {
      await applied('CREATE TABLE a (n INT);\n');
      await engine.query(
        `UPDATE _prisma_migrations SET started_at = '2024-02-03 04:05:06${driver === 'pg' ? '+00' : ''}', finished_at = '2024-02-03 04:05:08.5${driver === 'pg' ? '+00' : ''}'`,
      );
      await adopt();
      expect((await files.migrator().status()).entries).toMatchObject([
        { installedOn: MADE, executionTimeMs: 2500 },
      ]);
    });
  });

  test('a tool that has no times has those of the adoption', async () => {
    const before = Date.now();
    await engine.query('CREATE TABLE schema_migrations (version VARCHAR(100))');
    await engine.query("INSERT INTO schema_migrations VALUES ('20240101000000')");
    files.write({ '20240101000000_a.sql': 'SELECT 1' });
    await files.migrator({ installedBy: 'me' }).adopt({ from: 'dbmate' });
    const [entry] = (await files.migrator().status()).entries;
    expect(entry).toMatchObject({ installedBy: 'me', executionTimeMs: 0 });
    expect(entry!.installedOn!.getTime()).toBeGreaterThan(before - 2000);
  });

  test('a schema that is not empty is told of a command that there is', async () => {
    await engine.query('CREATE TABLE old (n INT)');
    files.write({ 'V1__a.sql': 'SELECT 1' });
    expect((await failureOf(files.migrator().up())).message).toMatch(/say which: `baseline V`;/);
    await engine.query('CREATE TABLE schema_migrations (version VARCHAR(100))');
    expect((await failureOf(files.migrator().up())).message).toMatch(
      /up to which version it is: `baseline V`\./,
    );
  });

  test('the same baseline again is nothing new, whatever came after it; another description is told', async () => {
    files.write({ 'V1__a.sql': 'SELECT 1', 'V2__b.sql': 'SELECT 1' });
    const migrator = files.migrator();
    await migrator.baseline({ version: '1', description: 'as found' });
    await migrator.up();
    files.events.length = 0;
    expect(await migrator.baseline({ version: '1' })).toEqual({ version: '1' });
    expect(await migrator.baseline({ version: '1', description: 'as found' })).toEqual({ version: '1' });
    expect(notesOf(files.events)).toEqual([]);
    await migrator.baseline({ version: '1', description: 'else' });
    expect(notesOf(files.events)).toEqual([
      'The baseline is 1 already, described as "as found": that stays.',
    ]);
    expect((await failureOf(migrator.baseline({ version: '2' }))).message).toMatch(
      /^The baseline is 1 already/,
    );
  });
});
