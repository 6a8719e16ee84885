import { failureOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

describe.each(engines)('what was applied does not run again on %s', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  const meta = driver === 'pg' ? '"SequelizeMeta"' : '`SequelizeMeta`';
  const statesOf = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await files.migrator().status()).entries.map(({ script, state }) => [script, state]));
  const hasHistory = async (): Promise<boolean> => {
    const here = driver === 'pg' ? 'current_schema()' : 'DATABASE()';
    const found = await engine.query(
      `SELECT 1 FROM information_schema.tables WHERE table_name = 'holdfast_schema_history' AND table_schema = ${here}`,
    );
    return found.length > 0;
  };

  const appliedByDbmate = async (...versions: readonly string[]): Promise<void> => {
    await engine.query('CREATE TABLE schema_migrations (version VARCHAR(100))');
    for (const version of versions) await engine.query(`INSERT INTO schema_migrations VALUES ('${version}')`);
  };
  const adoptFrom = (from: 'dbmate' | 'umzug' | 'flyway' | 'prisma', more: object = {}) =>
    files.migrator().adopt({ from, ...more });

  describe('a directory that holds none of what they have applied', () => {
    test('is refused, and nothing is made that `up` would take for a history', async () => {
      await appliedByDbmate('20240101000000', '20240102000000');
      await engine.query('CREATE TABLE acc (balance INT)');
      expect(await failureOf(adoptFrom('dbmate'))).toMatchObject({
        code: 'VALIDATION_FAILED',
        message: expect.stringMatching(
          /^None of what dbmate has applied \(20240101000000.+20240102000000\) is among the files of .+ Nothing was taken over\.$/,
        ),
      });
      expect(await hasHistory()).toBe(false);
      files.write({
        '20240101000000_a.sql': 'CREATE TABLE acc (balance INT)',
        '20240102000000_b.sql': 'UPDATE acc SET balance = balance * 100',
      });
      expect(await failureOf(files.migrator().up())).toMatchObject({ code: 'VALIDATION_FAILED' });
    });

    test('one of them is enough', async () => {
      await appliedByDbmate('20240101000000', '20240102000000');
      files.write({ '20240102000000_b.sql': 'SELECT 1' });
      expect(await adoptFrom('dbmate')).toEqual({
        adopted: ['20240102000000_b.sql'],
        notes: ['20240101000000 has no file here: it was not taken over.'],
      });
    });
  });

  test('a table that says nothing is taken over where the schema is empty, and refused where it is not', async () => {
    await appliedByDbmate();
    files.write({ '20240101000000_a.sql': 'CREATE TABLE acc (n INT)' });
    await engine.query('CREATE TABLE acc (n INT)');
    expect(await failureOf(adoptFrom('dbmate'))).toMatchObject({
      code: 'VALIDATION_FAILED',
      message: expect.stringMatching(/^"schema_migrations" says of nothing .+"?acc"?.+`baseline V`/),
    });
    expect(await hasHistory()).toBe(false);
    await engine.query('DROP TABLE acc');
    expect(await adoptFrom('dbmate')).toEqual({
      adopted: [],
      notes: ['20240101000000_a.sql has no row of dbmate: the next `up` runs it.'],
    });
    expect((await files.migrator().up()).applied).toHaveLength(1);
  });

  describe('what failed there half-way', () => {
    test('in Flyway has failed here: `up` is refused until somebody has looked at it', async () => {
      files.write({ 'V1__a.sql': 'CREATE TABLE acc (balance INT); INSERT INTO acc VALUES (100)' });
      await files.migrator({ history: 'flyway' }).up();
      await engine.query(
        `INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
         VALUES (2, '2', 'b', 'SQL', 'V2__b.sql', 77, 'flo', 1, ${driver === 'pg' ? 'false' : '0'})`,
      );
      files.write({ 'V2__b.sql': 'UPDATE acc SET balance = balance * 2; INSERT INTO acc VALUES (1)' });
      await engine.query('UPDATE acc SET balance = balance * 2');
      const { adopted, notes } = await adoptFrom('flyway');
      expect(adopted).toEqual(['V1__a.sql']);
      expect(notes).toEqual([expect.stringMatching(/^V2__b\.sql failed half-way .*Take that back by hand/)]);
      expect(await statesOf()).toEqual({ 'V1__a.sql': 'SUCCESS', 'V2__b.sql': 'FAILED' });
      expect(await failureOf(files.migrator().up())).toMatchObject({ code: 'VALIDATION_FAILED' });
      // Taken over once.
      expect((await adoptFrom('flyway')).adopted).toEqual([]);

      await engine.query('UPDATE acc SET balance = balance / 2');
      await files.migrator().repair();
      await files.migrator().up();
      expect(await engine.query('SELECT balance FROM acc ORDER BY balance')).toEqual([
        { balance: 1 },
        { balance: 200 },
      ]);
    });

    test('in Prisma likewise; what was rolled back there is pending', async () => {
      files.write({
        '20240101000000_a/migration.sql': 'CREATE TABLE acc (balance INT)',
        '20240102000000_b/migration.sql': 'INSERT INTO acc VALUES (1)',
        '20240103000000_c/migration.sql': 'INSERT INTO acc VALUES (2)',
      });
      await files.migrator({ history: 'prisma' }).up();
      await engine.query(
        "UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = '20240102000000_b'",
      );
      await engine.query(
        "UPDATE _prisma_migrations SET rolled_back_at = started_at WHERE migration_name = '20240103000000_c'",
      );
      const { adopted, notes } = await adoptFrom('prisma');
      expect(adopted).toEqual(['20240101000000_a/migration.sql']);
      expect(notes).toEqual([
        '20240103000000_c/migration.sql has no row of prisma: the next `up` runs it.',
        expect.stringMatching(/^20240102000000_b\/migration\.sql failed half-way/),
      ]);
      expect(await failureOf(files.migrator().up())).toMatchObject({ code: 'VALIDATION_FAILED' });
    });

    test('without a file it is told', async () => {
      await files.migrator({ history: 'flyway' }).baseline();
      await engine.query(
        `INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
         VALUES (2, '2', 'b', 'SQL', 'V2__b.sql', 77, 'flo', 1, ${driver === 'pg' ? 'false' : '0'})`,
      );
      expect((await adoptFrom('flyway')).notes).toEqual([
        expect.stringMatching(/^V2__b\.sql failed or is half done there, and has no file here/),
      ]);
    });
  });

  describe('a second time', () => {
    test('adds nothing where a file was renamed meanwhile', async () => {
      await appliedByDbmate('20240101000000', '20240102000000');
      const down = '\n-- migrate:down\nSELECT 1';
      files.write({
        '20240101000000_a.sql': `-- migrate:up\nSELECT 1${down}`,
        '20240102000000_b.sql': `-- migrate:up\nSELECT 1${down}`,
      });
      await adoptFrom('dbmate');
      files.write({
        '20240101000000_a.sql': null,
        '20240101000000_a_better_name.sql': `-- migrate:up\nSELECT 1${down}`,
      });
      expect((await adoptFrom('dbmate')).adopted).toEqual([]);
      const undone = await files.migrator().undo();
      expect(undone.undone.map(({ script }) => script)).toEqual(['20240102000000_b.sql#down']);
    });

    test('adds nothing where its ending is another', async () => {
      await engine.query(`CREATE TABLE ${meta} (name VARCHAR(255))`);
      await engine.query(`INSERT INTO ${meta} VALUES ('001-a.js')`);
      files.write({ '001-a.js': 'exports.up = async () => {};' });
      expect((await adoptFrom('umzug')).adopted).toEqual(['001-a.js']);
      files.write({ '001-a.js': null, '001-a.ts': 'export async function up() {}' });
      expect((await adoptFrom('umzug')).adopted).toEqual([]);
    });

    test('says of what was undone since that the next `up` runs it', async () => {
      await appliedByDbmate('20240101000000');
      files.write({ '20240101000000_a.sql': '-- migrate:up\nSELECT 1\n-- migrate:down\nSELECT 1' });
      await adoptFrom('dbmate');
      await files.migrator().undo();
      expect(await adoptFrom('dbmate')).toEqual({
        adopted: [],
        notes: [
          '20240101000000_a.sql was undone since it was taken over from dbmate: the next `up` runs it.',
        ],
      });
    });
  });

  describe('from umzug', () => {
    test('a file of another name is another migration, whatever its number is', async () => {
      await engine.query(`CREATE TABLE ${meta} (name VARCHAR(255))`);
      await engine.query(`INSERT INTO ${meta} VALUES ('001-a.sql'), ('002-old.sql')`);
      files.write({ '001-a.sql': 'SELECT 1', '002-new.sql': 'CREATE TABLE made (n INT)' });
      expect(await adoptFrom('umzug')).toEqual({
        adopted: ['001-a.sql'],
        notes: [
          '002-old.sql has no file here: it was not taken over.',
          '002-new.sql has no row of umzug: the next `up` runs it.',
        ],
      });
      await files.migrator().up();
      expect(await engine.tables()).toContain('made');
    });

    test('a column of another name is asked for, and taken', async () => {
      await engine.query(`CREATE TABLE ${meta} (migration VARCHAR(255))`);
      await engine.query(`INSERT INTO ${meta} VALUES ('001-a.sql')`);
      files.write({ '001-a.sql': 'SELECT 1' });
      expect(await failureOf(adoptFrom('umzug'))).toMatchObject({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/has no column "name", but "migration"\..*--column NAME/),
      });
      expect((await adoptFrom('umzug', { column: 'migration' })).adopted).toEqual(['001-a.sql']);
      expect(await failureOf(adoptFrom('dbmate', { column: 'migration' }))).toMatchObject({
        code: 'INVALID_OPTIONS',
      });
    });
  });

  test('a table of another tool is told from the one that is meant', async () => {
    await engine.query('CREATE TABLE migrations (id INT, batch INT, migration VARCHAR(100))');
    expect(await failureOf(files.migrator().adopt({ from: 'typeorm' }))).toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(
        /is none of typeorm: it has no column "timestamp", "name", but "id", "batch", "migration"/,
      ),
    });
  });

  test('their table in another schema is found, and how to name that', async () => {
    await engine.query('CREATE SCHEMA elsewhere');
    try {
      await engine.query('CREATE TABLE elsewhere.schema_migrations (version VARCHAR(100))');
      const { message } = await failureOf(adoptFrom('dbmate'));
      expect(message).toContain(
        driver === 'pg'
          ? '"schema_migrations" is in the schema "elsewhere": if that is where migrations go, name it, `--schema elsewhere`'
          : 'if it is in another database, the url has to name that',
      );
    } finally {
      await engine.query(`DROP SCHEMA elsewhere${driver === 'pg' ? ' CASCADE' : ''}`);
    }
  });

  test('what Flyway has marked as deleted is not missed here', async () => {
    files.write({ 'V1__a.sql': 'SELECT 1', 'V2__b.sql': 'SELECT 1' });
    await files.migrator({ history: 'flyway' }).up();
    files.write({ 'V1__a.sql': null });
    await files.migrator({ history: 'flyway' }).repair();
    expect((await adoptFrom('flyway')).notes).toEqual([]);
  });
});
