import { once } from 'node:events';
import { openDatabase } from '../../../src/migrations/database/open-database.js';
import type { Database, MigrationSession } from '../../../src/migrations/database/session.js';
import { LockBusyError } from '../../../src/migrations/index.js';
import { javaHashCode } from '../../../src/migrations/locks/lock-name.js';
import { readMigratorOptions } from '../../../src/migrations/options.js';
import { failureOf, notesOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

describe.each(engines)('on the table of another tool, by %s', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  let database: Database;
  let theirs: MigrationSession;

  beforeEach(async () => {
    database = await openDatabase(readMigratorOptions({ url: engine.url, driver }));
    theirs = await database.open();
  });
  afterEach(async () => {
    await theirs.end();
    await database.close();
  });

  /** Asks for the lock that Flyway or Prisma takes, as it does. */
  const theyLock = async (tool: 'flyway' | 'prisma'): Promise<boolean> => {
    const [place] = await theirs.query<{ name: string }>(
      `SELECT ${driver === 'pg' ? 'current_schema()::text' : 'DATABASE()'} AS name`,
    );
    const table = `${theirs.quote(place!.name)}.${theirs.quote('flyway_schema_history')}`;
    const [number, name] =
      tool === 'prisma'
        ? [72_707_369n, 'prisma_migrate']
        : [77_431_708_279_161n + BigInt(javaHashCode(table)), `Flyway-${javaHashCode(table)}`];
    const [row] = await theirs.query<{ done: boolean | number | string }>(
      driver === 'pg'
        ? `SELECT pg_try_advisory_lock(${number}) AS done`
        : `SELECT GET_LOCK('${name}', 0) AS done`,
    );
    return row!.done === true || Number(row!.done) === 1;
  };

  test.each(['flyway', 'prisma'] as const)('a run waits for a lock of %s', async (history) => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const migrator = files.migrator({ history, lock: { waitMs: 0 } });
    expect(await theyLock(history)).toBe(true);
    expect(await failureOf(migrator.up())).toBeInstanceOf(LockBusyError);
    expect(await engine.tables()).toEqual([]);
    await theirs.query(driver === 'pg' ? 'SELECT pg_advisory_unlock_all()' : 'DO RELEASE_ALL_LOCKS()');
    expect((await migrator.up()).applied).toHaveLength(1);
  });

  test.each(['flyway', 'prisma'] as const)('%s waits for a run', async (history) => {
    files.write({ 'V1__a.sql': driver === 'pg' ? 'SELECT pg_sleep(60)' : 'SELECT SLEEP(60)' });
    const [told, cancel] = [new EventTarget(), new AbortController()];
    const started = once(told, 'started');
    const migrator = files.migrator({
      history,
      onEvent: ({ kind }) => void told.dispatchEvent(new Event(kind)),
    });
    const run = failureOf(migrator.up({ cancelSignal: cancel.signal }));
    await started;
    expect(await theyLock(history)).toBe(false);
    cancel.abort();
    await run;
    expect(await theyLock(history)).toBe(true);
  });

  test('what Prisma applied is known, and what is applied here is a row as Prisma writes it', async () => {
    const folder = (name: string): string => `prisma/migrations/${name}/migration.sql`;
    const [first, second] = ['20240101000000_init', '20240102000000_add_note'];
    files.write({
      [folder(first)]: 'CREATE TABLE a (n INT);\n',
      'prisma/migrations/migration_lock.toml': 'provider = "postgresql"\n',
    });
    const options = { history: 'prisma', directories: ['prisma/migrations'] } as const;
    await files.migrator(options).up();
    files.write({ [folder(second)]: 'ALTER TABLE a ADD note VARCHAR(9);\n' });
    expect((await files.migrator(options).status()).pending).toEqual([`${second}/migration.sql`]);
    await files.migrator(options).up();
    const rows = await engine.query(
      'SELECT migration_name, LENGTH(checksum) AS length, finished_at IS NOT NULL AS finished, rolled_back_at FROM _prisma_migrations ORDER BY started_at',
    );
    expect(rows.map((row) => ({ ...row, finished: Number(row['finished']) }))).toEqual(
      [first, second].map((migration_name) => ({
        migration_name,
        length: 64,
        finished: 1,
        rolled_back_at: null,
      })),
    );
    expect((await files.migrator(options).up()).applied).toEqual([]);
  });

  test.each([
    ['without a number', 'init', []],
    ['with one', '20240101000000_init', ['20240101000000_init/migration.sql']],
  ])(
    'a folder %s that Prisma applied and that is gone is not promised to `repair`',
    async (_, name, refused) => {
      const later = '20240102000000_add_note/migration.sql';
      files.write({ [later]: 'CREATE TABLE a (n INT);\n' });
      const migrator = files.migrator({ history: 'prisma' });
      await migrator.up();
      await engine.query(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       SELECT '1', checksum, '${name}', started_at, finished_at, 1 FROM _prisma_migrations`,
      );
      const { problems } = await migrator.validate();
      expect(problems.map(({ script }) => script)).toEqual(refused);
      files.events.length = 0;
      await migrator.up().catch(() => undefined);
      const told = [...problems.map(({ message }) => message), ...notesOf(files.events)];
      expect(told).toEqual([expect.stringMatching(/no longer there.*no word for.*delete its row by hand/)]);
      expect(told.join('')).not.toContain('`repair`');

      files.events.length = 0;
      expect((await migrator.repair()).changes).toEqual([]);
      expect(notesOf(files.events)).toEqual([
        expect.stringMatching(/^(\d+_)?init\/migration\.sql .*no word for/),
      ]);
    },
  );

  describe('a baseline file', () => {
    beforeEach(() =>
      files.write({
        'V1__a.sql': 'CREATE TABLE a (n INT)',
        'B5__as_of_5.sql': 'CREATE TABLE a (n INT, note VARCHAR(9))',
        'V6__b.sql': 'CREATE TABLE b (n INT)',
      }),
    );

    test('starts an empty database, and what is above it follows', async () => {
      const migrator = files.migrator({ history: 'flyway' });
      expect((await migrator.up()).applied.map(({ script }) => script)).toEqual([
        'B5__as_of_5.sql',
        'V6__b.sql',
      ]);
      expect(
        await engine.query('SELECT type, version FROM flyway_schema_history ORDER BY installed_rank'),
      ).toEqual([
        { type: 'SQL_BASELINE', version: '5' },
        { type: 'SQL', version: '6' },
      ]);
      expect((await migrator.up()).applied).toEqual([]);
      expect((await migrator.validate()).problems).toEqual([]);
    });

    test('is left alone where versions were applied before', async () => {
      const migrator = files.migrator();
      files.write({ 'B5__as_of_5.sql': null });
      await migrator.up({ to: '1' });
      files.write({ 'B5__as_of_5.sql': 'CREATE TABLE a (n INT, note VARCHAR(9))' });
      expect((await migrator.up()).applied.map(({ script }) => script)).toEqual(['V6__b.sql']);
    });
  });
});
