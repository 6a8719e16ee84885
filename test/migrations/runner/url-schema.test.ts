import { failureOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

type Parameter = readonly [name: string, value: string];

const MIGRATION = 'prisma/migrations/20260101000000_a/migration.sql';

describe('the schema that the url names', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);
  beforeEach(() => files.write({ [MIGRATION]: 'CREATE TABLE a (n INT)' }));
  afterEach(() => engine.query('DROP SCHEMA IF EXISTS shop, "Shop, 2", other CASCADE'));

  const url = (...parameters: readonly Parameter[]): string => {
    const made = new URL(engine.url);
    for (const [name, value] of parameters) made.searchParams.append(name, value);
    return made.href;
  };
  const migrator = (...parameters: readonly Parameter[]) => files.migrator({ url: url(...parameters) });
  const tables = async (): Promise<string[]> =>
    (
      await engine.query(
        `SELECT schemaname || '.' || tablename AS name FROM pg_tables
          WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
      )
    ).map(({ name }) => String(name));

  test('what Prisma has applied in the schema of its url is not applied again beside it', async () => {
    await engine.query(`CREATE SCHEMA shop; CREATE TABLE shop.a (n INT)`);
    await engine.query(`CREATE TABLE shop._prisma_migrations (id VARCHAR(36) PRIMARY KEY, checksum VARCHAR(64) NOT NULL,
      finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
      started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INT NOT NULL DEFAULT 0)`);
    await engine.query(`INSERT INTO shop._prisma_migrations (id, checksum, migration_name, finished_at)
      VALUES ('1', encode(sha256('CREATE TABLE a (n INT)'), 'hex'), '20260101000000_a', now())`);

    const { applied, version } = await files
      .migrator({ url: url(['schema', 'shop']), history: 'prisma' })
      .up();

    expect({ applied, version }).toEqual({ applied: [], version: '20260101000000' });
    expect(await tables()).toEqual(['shop._prisma_migrations', 'shop.a']);
  });

  test('what dbmate has applied in the first schema of its search path is taken over there', async () => {
    files.write({ [MIGRATION]: null, '20260101000000_a.sql': '-- migrate:up\nCREATE TABLE a (n INT);\n' });
    await engine.query(
      'CREATE SCHEMA shop; CREATE TABLE shop.a (n INT); CREATE TABLE shop.schema_migrations (version VARCHAR PRIMARY KEY)',
    );
    await engine.query(`INSERT INTO shop.schema_migrations VALUES ('20260101000000')`);
    const ours = migrator(['search_path', 'shop,public']);

    expect((await ours.adopt({ from: 'dbmate' })).adopted).toEqual(['20260101000000_a.sql']);
    expect((await ours.up()).applied).toEqual([]);
    expect(await tables()).toEqual(['shop.a', 'shop.holdfast_schema_history', 'shop.schema_migrations']);
  });

  test.each<[string, readonly Parameter[], object, string, string]>([
    ['schema', [['schema', 'shop']], {}, 'shop', 'shop, "$user", public'],
    [
      'schema, exactly as it is written',
      [['schema', 'Shop, 2']],
      {},
      'Shop, 2',
      '"Shop, 2", "$user", public',
    ],
    ['search_path', [['search_path', 'shop']], {}, 'shop', 'shop'],
    ['search_path with several', [['search_path', 'SHOP , other,public']], {}, 'shop', 'SHOP , other,public'],
    ['search_path with quotes', [['search_path', '"Shop, 2", public']], {}, 'Shop, 2', '"Shop, 2", public'],
    ["the JDBC driver's currentSchema", [['currentSchema', 'shop,public']], {}, 'shop', 'shop,public'],
    [
      'both',
      [
        ['schema', 'shop'],
        ['search_path', 'other,public'],
      ],
      {},
      'shop',
      'shop, other,public',
    ],
    [
      'an option that is stronger',
      [['schema', 'other']],
      { schema: 'shop' },
      'shop',
      'shop, "$user", public',
    ],
    ['an option in front of a path', [['search_path', 'other']], { schema: 'shop' }, 'shop', 'shop, other'],
    ['the user first', [['search_path', '"$user", public']], {}, 'public', '"$user", public'],
  ])(
    '%s: history and new tables are in it, for each of the files',
    async (_, parameters, options, schema, path) => {
      files.write({
        [MIGRATION]: 'CREATE TABLE a (n INT); SET search_path = nowhere;',
        '20260101000001_b.js': `exports.up = async ({ sql }) => { await sql('CREATE TABLE b AS SELECT n FROM a'); };`,
        '20260101000002_c.sql': `CREATE TABLE c AS SELECT current_setting('search_path') AS path FROM (VALUES (1)) AS one`,
        '20260101000003_d.sql': '-- no-transaction\nCREATE TABLE d (n INT)',
      });
      const ours = files.migrator({ url: url(...parameters), ...options });
      await ours.up();

      expect(await tables()).toEqual(
        ['a', 'b', 'c', 'd', 'holdfast_migration_journal', 'holdfast_schema_history'].map(
          (name) => `${schema}.${name}`,
        ),
      );
      expect(await engine.query(`SELECT path FROM "${schema}".c`)).toEqual([{ path }]);
      expect((await ours.up()).applied).toEqual([]);
    },
  );

  test.each(['holdfast', 'flyway', 'prisma'] as const)(
    'that does not exist is created for %s, in a dry run too',
    async (history) => {
      const ours = files.migrator({ url: url(['search_path', 'shop']), history });
      expect((await ours.dryRun()).scripts).toHaveLength(1);
      expect(await tables()).toEqual([]);
      await ours.up();
      expect(await tables()).toHaveLength(2);
      expect(await tables()).toContain('shop.a');
    },
  );

  test('the schema of the history alone is that of its option', async () => {
    await engine.query('CREATE SCHEMA shop; CREATE SCHEMA other');
    await files.migrator({ url: url(['schema', 'shop']), history: { schema: 'other' } }).up();
    expect(await tables()).toEqual(['other.holdfast_schema_history', 'shop.a']);
  });

  test('a lease has its table in it', async () => {
    await files.migrator({ url: url(['schema', 'shop']), lock: { kind: 'lease' } }).up();
    expect(await tables()).toEqual([
      'shop.a',
      'shop.holdfast_migration_lock',
      'shop.holdfast_schema_history',
    ]);
  });

  describe('and a table of the history in another schema', () => {
    beforeEach(() => engine.query('CREATE SCHEMA shop; CREATE TABLE shop._prisma_migrations (id INT)'));

    test('is told where public is empty and nothing names a schema: everything would run a second time', async () => {
      const ours = files.migrator({ history: 'prisma' });
      const error = await failureOf(ours.up());
      expect(error).toMatchObject({
        code: 'VALIDATION_FAILED',
        message: expect.stringMatching(
          /no "public"\."_prisma_migrations".*in the schema "shop".*`--schema shop`.*`--schema public`/s,
        ),
      });
      expect(await failureOf(ours.dryRun())).toMatchObject({ message: error.message });
      expect(await tables()).toEqual(['shop._prisma_migrations']);
    });

    test('is no matter where the schema is named', async () => {
      expect((await files.migrator({ history: 'prisma', schema: 'public' }).up()).applied).toHaveLength(1);
    });

    test('is told where the schema is not empty', async () => {
      await engine.query('CREATE TABLE b (n INT)');
      expect(await failureOf(files.migrator().up())).toMatchObject({
        code: 'VALIDATION_FAILED',
        message: expect.stringMatching(
          /"public" is not empty.*"_prisma_migrations" is in the schema "shop".*`--schema shop`/s,
        ),
      });
    });
  });
});

describe('on MariaDB, where a schema is a database', () => {
  const engine = useMariadb('mariadb');
  const files = useWorkspace(engine);

  test('the option is refused: the history would go into it, and the tables into the database of the url', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    expect(await failureOf(files.migrator({ schema: 'shop' }).up())).toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(/schema is for PostgreSQL.*the url .*names the database/s),
    });
    expect(await engine.tables()).toEqual([]);
  });
});
