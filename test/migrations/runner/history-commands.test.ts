import { type MigrationEvent, ValidationFailedError } from '../../../src/migrations/index.js';
import { failureOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

describe.each(engines)('by %s', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  const quote = (name: string): string => (driver === 'pg' ? `"${name}"` : `\`${name}\``);

  describe('baseline', () => {
    test('stands for what was there, and is the same twice', async () => {
      await engine.query('CREATE TABLE old (n INT)');
      files.write({ 'V1__a.sql': 'CREATE TABLE old (n INT)', 'V2__b.sql': 'CREATE TABLE b (n INT)' });
      const migrator = files.migrator();
      expect(await migrator.baseline({ version: '1', description: 'as found' })).toEqual({ version: '1' });
      expect(await migrator.baseline({ version: '1' })).toEqual({ version: '1' });
      expect((await migrator.up()).applied.map(({ script }) => script)).toEqual(['V2__b.sql']);
      const states = (await migrator.status()).entries.map(({ script, state }) => [script, state]);
      expect(states).toContainEqual(['V1__a.sql', 'BELOW_BASELINE']);
    });

    test('is refused after the first migration', async () => {
      files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
      await files.migrator().up();
      expect(await failureOf(files.migrator().baseline({ version: '3' }))).toBeInstanceOf(
        ValidationFailedError,
      );
    });
  });

  describe('repair', () => {
    test('takes over the checksums of edited files and marks missing ones as deleted', async () => {
      files.write({
        'V1__a.sql': 'CREATE TABLE a (n INT)',
        'V2__b.sql': 'CREATE TABLE b (n INT)',
        'V3__c.sql': 'CREATE TABLE c (n INT)',
      });
      const migrator = files.migrator();
      await migrator.up();
      files.write({ 'V1__a.sql': '-- a comment\nCREATE TABLE a (n INT)', 'V2__b.sql': null });
      const { problems } = await migrator.validate();
      expect(problems.map(({ state }) => state)).toEqual(['CHANGED', 'MISSING']);
      const [changed] = problems;
      const { changes } = await migrator.repair();
      const [, was, is] = /its checksum was (-?\d+) and is (-?\d+)/.exec(changed!.message)!;
      expect(changes).toEqual([
        `Took over the checksum of V1__a.sql: it was ${was} and is ${is}.`,
        'Marked V2__b.sql as deleted: it was applied, and its file is gone.',
      ]);
      expect(await migrator.validate()).toEqual({ problems: [], pending: [] });
      expect((await migrator.repair()).changes).toEqual([]);
      expect((await migrator.up()).applied).toEqual([]);
    });
  });

  test('repair takes over that a migration is in code now', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    await files.migrator().up();
    files.write({ 'V1__a.sql': null, 'V1__a.js': 'exports.up = () => {};' });
    const { changes } = await files.migrator().repair();
    expect(changes).toEqual(['Took over the kind of V1__a.js: it was SQL and is code.']);
    expect((await files.migrator().validate()).problems).toEqual([]);
  });

  test.each([
    ['CRLF', 'LF', '\r\n', '\n'],
    ['LF', 'CRLF', '\n', '\r\n'],
  ])("Prisma's table: applied with %s and checked out with %s is no edit", async (_, __, was, is) => {
    const file = (end: string): string => `CREATE TABLE a (${end}  n INT${end});${end}`;
    const script = '20240101000000_a/migration.sql';
    files.write({ [script]: file(was) });
    await files.migrator({ history: 'prisma' }).up();
    files.write({ [script]: file(is) });
    expect(await files.migrator({ history: 'prisma' }).validate()).toEqual({ problems: [], pending: [] });
    files.write({ [script]: `${file(is)}-- edited` });
    expect((await files.migrator({ history: 'prisma' }).validate()).problems).toMatchObject([
      { state: 'CHANGED' },
    ]);
  });

  test("Prisma's table knows its repeatables and the versions in folders again", async () => {
    const migrator = files.migrator({ history: 'prisma' });
    files.write({ 'shop/V2__b.sql': 'CREATE TABLE b (n INT)', 'views/R__open_b.sql': 'SELECT 1' });
    await migrator.up();
    expect((await migrator.up()).applied).toEqual([]);
    expect((await migrator.status()).entries).toMatchObject([
      { version: '2', state: 'SUCCESS' },
      { script: 'views/R__open_b.sql', state: 'SUCCESS' },
    ]);
    files.write({ 'views/R__open_b.sql': 'SELECT 2' });
    expect((await migrator.up()).applied).toMatchObject([{ script: 'views/R__open_b.sql' }]);
    expect((await migrator.up()).applied).toEqual([]);
  });

  describe('adopt', () => {
    const adopted = async (
      files_: Record<string, string>,
      from: 'typeorm' | 'umzug' | 'dbmate' | 'prisma' | 'flyway',
    ) => {
      files.write(files_);
      const migrator = files.migrator();
      const first = await migrator.adopt({ from });
      const second = await migrator.adopt({ from });
      expect(second.adopted).toEqual([]);
      return {
        ...first,
        pending: (await migrator.status()).pending,
        problems: (await migrator.validate()).problems,
      };
    };

    test('takes over what TypeORM applied', async () => {
      await engine.query(`CREATE TABLE migrations (id INT, ${quote('timestamp')} BIGINT, name VARCHAR(100))`);
      await engine.query(
        "INSERT INTO migrations VALUES (1, 1700000000000, 'AddOrders1700000000000'), (2, 1700000000001, 'Gone1700000000001')",
      );
      const result = await adopted(
        { '1700000000000-AddOrders.sql': 'SELECT 1', '1700000000002-Next.sql': 'SELECT 1' },
        'typeorm',
      );
      expect(result.adopted).toEqual(['1700000000000-AddOrders.sql']);
      expect(result.notes).toEqual([
        'Gone1700000000001 has no file here: it was not taken over.',
        '1700000000002-Next.sql has no row of typeorm: the next `up` runs it.',
      ]);
      expect(result.pending).toEqual(['1700000000002-Next.sql']);
    });

    test('takes over what umzug applied', async () => {
      await engine.query(`CREATE TABLE ${quote('SequelizeMeta')} (name VARCHAR(200))`);
      await engine.query(
        `INSERT INTO ${quote('SequelizeMeta')} VALUES ('20240101000000-a.js'), ('20240102000000-b.js')`,
      );
      const result = await adopted(
        { '20240101000000-a.sql': 'SELECT 1', '20240102000000-b.js': 'exports.up = () => {};' },
        'umzug',
      );
      expect(result.adopted).toEqual(['20240101000000-a.sql', '20240102000000-b.js']);
      expect(result.pending).toEqual([]);
    });

    test('takes over what dbmate applied', async () => {
      await engine.query('CREATE TABLE schema_migrations (version VARCHAR(100))');
      await engine.query("INSERT INTO schema_migrations VALUES ('20240101000000')");
      const result = await adopted(
        {
          '20240101000000_a.sql': '-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;',
          '20240102000000_b.sql': '-- migrate:up\nSELECT 1;',
        },
        'dbmate',
      );
      expect(result.adopted).toEqual(['20240101000000_a.sql']);
      expect(result.pending).toEqual(['20240102000000_b.sql']);
    });

    test.each(['flyway', 'prisma'] as const)('takes over what %s applied', async (from) => {
      const names: [string, string] =
        from === 'prisma'
          ? ['20240101000000_a/migration.sql', '20240102000000_b/migration.sql']
          : ['V1__a.sql', 'V2__b.sql'];
      files.write({ [names[0]]: 'CREATE TABLE a (n INT);', [names[1]]: 'CREATE TABLE b (n INT);' });
      await files.migrator({ history: from }).up({ step: 1 });
      const result = await adopted({}, from);
      expect(result.adopted).toEqual([names[0]]);
      expect(result.pending).toEqual([names[1]]);
      expect(result.problems).toEqual([]);
    });

    test('names the table that is not there, and the one that is', async () => {
      files.write({ 'V1__a.sql': 'SELECT 1' });
      const adoptUmzug = async (): Promise<Error> => failureOf(files.migrator().adopt({ from: 'umzug' }));
      const error = await adoptUmzug();
      expect(error).toMatchObject({ code: 'INVALID_OPTIONS' });
      expect(error.message).toMatch(/^There is no table "SequelizeMeta" in the schema ".+".*--table NAME/);
      expect(error.message).toContain('No table of another tool');
      await engine.query('CREATE TABLE schema_migrations (version VARCHAR(50))');
      expect((await adoptUmzug()).message).toContain(
        '"schema_migrations" is there, of dbmate: `adopt --from dbmate`.',
      );
      await engine.query(`CREATE TABLE their_own (name VARCHAR(200))`);
      await engine.query("INSERT INTO their_own VALUES ('V1__a.sql')");
      expect(await files.migrator().adopt({ from: 'umzug', table: 'their_own' })).toEqual({
        adopted: ['V1__a.sql'],
        notes: [],
      });
    });
  });

  test('unlock takes the lock away from its holder', async () => {
    expect(await files.migrator().unlock()).toEqual({
      holder: undefined,
      released: false,
      cutOff: false,
    });
    files.write({ 'V1__a.sql': driver === 'pg' ? 'SELECT pg_sleep(60)' : 'SELECT SLEEP(60)' });
    let running: Promise<Error> | undefined;
    await new Promise<void>((started) => {
      const onEvent = ({ kind }: MigrationEvent): void => void (kind === 'started' && started());
      running = failureOf(files.migrator({ onEvent }).up());
    });
    expect(await files.migrator().lockHolder()).toMatchObject({ pid: process.pid });
    expect(await files.migrator().unlock()).toMatchObject({ released: true, cutOff: true });
    await running;
    expect(await files.migrator().lockHolder()).toBeUndefined();
  });

  test('doctor finds a server in order', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'notes.txt': 'none of ours' });
    const { checks } = await files.migrator({ lockTimeoutMs: 1000 }).doctor();
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'connection',
        'version',
        'writable',
        'rights',
        'pooler',
        'clock',
        'directories',
        'migrations',
        'lock',
      ]),
    );
    expect(checks.filter(({ result }) => result === 'failed')).toEqual([]);
  });

  test('doctor says what is wrong and never throws', async () => {
    const url = new URL(engine.url);
    url.port = '1';
    expect((await files.migrator({ url: url.href }).doctor()).checks).toMatchObject([
      { name: 'connection', result: 'failed' },
    ]);
    const missing = await files.migrator({ directories: ['nowhere'] }).doctor();
    expect(missing.checks.find(({ name }) => name === 'directories')).toMatchObject({ result: 'failed' });
  });
});
