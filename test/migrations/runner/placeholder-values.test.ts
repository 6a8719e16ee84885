import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { failureOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

/** Flyway's checksum of a text, as `ChecksumCalculator.java` has it: over its lines without their ends, signed. */
const asFlyway = (text: string): number => crc32(Buffer.from(text.replaceAll(/[\r\n]/g, ''))) | 0;

describe.each(engines)('the values of placeholders by %s', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  const quoted = (text: string): string => (driver === 'pg' ? `"${text}"` : `\`${text}\``);

  afterEach(async () => {
    await engine.query('DROP VIEW IF EXISTS v');
  });

  const owner = async (): Promise<unknown> => (await engine.query('SELECT owner FROM v'))[0]?.['owner'];
  const rowsOf = (table: string): Promise<Record<string, unknown>[]> =>
    engine.query(`SELECT * FROM ${table} WHERE script = 'R__v.sql' ORDER BY installed_rank`);
  const view = (name: string): string =>
    `DROP VIEW IF EXISTS v;\r\nCREATE VIEW v AS\r\n  SELECT '${name}' AS owner;\n`;

  describe.each(['flyway', 'holdfast'] as const)('of a repeatable file in the history of %s', (history) => {
    const table = `${history}_schema_history`;
    const migrator = (placeholders: Record<string, string>) => files.migrator({ history, placeholders });

    test('are in its CRC32, as in that of Flyway', async () => {
      files.write({ 'R__v.sql': view('${owner}') });
      await migrator({ owner: 'bob\nby' }).up();
      const [row] = await rowsOf(table);
      expect(row).toMatchObject({ checksum: asFlyway(view('bob\nby')) });
      expect((await migrator({ owner: 'bob\nby' }).up()).applied).toEqual([]);
    });

    test('make it run again when they change', async () => {
      files.write({ 'R__v.sql': view('${owner}') });
      await migrator({ owner: 'bob' }).up();
      expect(await owner()).toBe('bob');
      const other = migrator({ OWNER: 'eve' });
      expect((await other.status()).entries).toMatchObject([{ script: 'R__v.sql', state: 'OUTDATED' }]);
      await other.up();
      expect(await owner()).toBe('eve');
      expect((await other.status()).pending).toEqual([]);
    });

    test('are in no row: what could be tried out against it is of the file alone', async () => {
      files.write({ 'R__v.sql': view('${owner}') });
      await migrator({ owner: 'hunter2secret' }).up();
      const rows = await rowsOf(table);
      expect(JSON.stringify(rows)).not.toContain('hunter2');
      const sha256 = createHash('sha256').update(view('${owner}')).digest('hex');
      expect(rows).toMatchObject([history === 'holdfast' ? { sha256 } : {}]);
    });

    test('are not asked of a row from before, which has the checksum of the file, until `repair`', async () => {
      files.write({ 'R__v.sql': view('${owner}') });
      await migrator({ owner: 'bob' }).up();
      await engine.query(`UPDATE ${table} SET checksum = ${asFlyway(view('${owner}'))}`);
      expect((await migrator({ owner: 'bob' }).up()).applied).toEqual([]);
      expect((await migrator({ owner: 'eve' }).validate()).pending).toEqual([]);

      const { changes } = await migrator({ owner: 'bob' }).repair();
      expect(changes).toEqual([expect.stringMatching(/^Took over the checksum of R__v\.sql/)]);
      expect(JSON.stringify(changes)).not.toContain('bob');
      expect((await migrator({ owner: 'bob' }).repair()).changes).toEqual([]);
      expect(await rowsOf(table)).toMatchObject([{ checksum: asFlyway(view('bob')) }]);
      expect((await migrator({ owner: 'eve' }).status()).pending).toEqual(['R__v.sql']);
    });

    test('do not matter to a version', async () => {
      const text = "CREATE TABLE a (n VARCHAR(9) DEFAULT '${owner}')";
      files.write({ 'V1__a.sql': text });
      await migrator({ owner: 'bob' }).up();
      expect(await engine.query(`SELECT checksum FROM ${table} WHERE version = '1'`)).toEqual([
        { checksum: asFlyway(text) },
      ]);
      expect((await migrator({ owner: 'eve' }).validate()).problems).toEqual([]);
    });
  });

  test('what Flyway ran with placeholders is taken over and not run again', async () => {
    files.write({ 'R__v.sql': view('${owner}') });
    await files.migrator({ history: 'flyway', placeholders: { owner: 'bob' } }).up();
    const [row] = await rowsOf('flyway_schema_history');
    expect(row).toMatchObject({ checksum: asFlyway(view('bob')) });
    const migrator = files.migrator({ placeholders: { owner: 'bob' } });
    expect(await migrator.adopt({ from: 'flyway' })).toMatchObject({ adopted: ['R__v.sql'], notes: [] });
    expect((await migrator.up()).applied).toEqual([]);
  });

  describe('that are Flyway’s own', () => {
    test('are those that Flyway would put there', async () => {
      const names = ['defaultSchema', 'user', 'database', 'filename', 'workingDirectory', 'table'];
      files.write({
        'V1__a.sql': 'CREATE TABLE a (name VARCHAR(40), value VARCHAR(400))',
        'nested/V2__b.sql': names
          .map((name) => `INSERT INTO \${flyway:defaultSchema}.a VALUES ('${name}', '\${FLYWAY:${name}}');`)
          .join('\n'),
      });
      await files.migrator({ history: 'flyway' }).up();
      const [here] = await engine.query(
        driver === 'pg'
          ? 'SELECT current_schema() AS s, current_user AS u, current_database() AS d'
          : "SELECT DATABASE() AS s, SUBSTRING_INDEX(USER(), '@', 1) AS u, DATABASE() AS d",
      );
      const rows = await engine.query('SELECT name, value FROM a');
      expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual({
        defaultSchema: here!['s'],
        user: here!['u'],
        database: here!['d'],
        filename: 'V2__b.sql',
        workingDirectory: files.folder,
        table: 'flyway_schema_history',
      });
    });

    test('the time is that of the run, and a repeatable file that has it runs each time', async () => {
      files.write({ 'R__v.sql': view('${flyway:timestamp}') });
      jest.useFakeTimers({ now: new Date(2024, 0, 2, 3, 4, 5), doNotFake: NOT_FAKED });
      try {
        await files.migrator().up();
        expect(await owner()).toBe('2024-01-02 03:04:05');
        expect((await files.migrator().up()).applied).toEqual([]);
        jest.setSystemTime(new Date(2024, 0, 2, 3, 4, 6));
        expect((await files.migrator().up()).applied).toHaveLength(1);
        expect(await owner()).toBe('2024-01-02 03:04:06');
      } finally {
        jest.useRealTimers();
      }
    });

    test('give way to declared ones', async () => {
      files.write({ 'R__v.sql': view('${flyway:environment} ${flyway:user}') });
      await files.migrator({ placeholders: { 'flyway:environment': 'test', 'flyway:USER': 'me' } }).up();
      expect(await owner()).toBe('test me');
    });

    test.each(['flyway:environment', 'flyway:schemas', 'flyway:nonsense'])(
      '%s has no value here: it is refused by name',
      async (name) => {
        files.write({ 'V1__a.sql': `SELECT 1;\nSELECT '\${${name}}';` });
        const error = await failureOf(files.migrator().up());
        expect(error.message).toMatch(
          new RegExp(`^V1__a\\.sql:2:9: \\$\\{${name}\\} is Flyway's.*\n.*Nothing of it was sent`, 's'),
        );
        expect(error.message).toContain(`--placeholder ${name}=`);
      },
    );

    test('do not keep a run that was cut off from going on', async () => {
      const text = (then: string): string =>
        `-- no-transaction\nCREATE TABLE ${quoted('a')} (n VARCHAR(40) DEFAULT '\${flyway:timestamp}');\n${then};`;
      files.write({ 'V1__a.sql': text('SELECT nonsense') });
      jest.useFakeTimers({ now: new Date(2024, 0, 2, 3, 4, 5), doNotFake: NOT_FAKED });
      try {
        await failureOf(files.migrator().up());
        jest.setSystemTime(new Date(2025, 0, 2, 3, 4, 5));
        files.write({ 'V1__a.sql': text('SELECT 1') });
        expect((await files.migrator().up()).applied).toHaveLength(1);
      } finally {
        jest.useRealTimers();
      }
    });
  });
});

const NOT_FAKED: FakeableAPI[] = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
];
type FakeableAPI = NonNullable<
  Extract<Parameters<typeof jest.useFakeTimers>[0], { doNotFake?: unknown }>['doNotFake']
>[number];
