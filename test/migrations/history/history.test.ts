import { openDatabase } from '../../../src/migrations/database/open-database.js';
import type { Database, MigrationSession } from '../../../src/migrations/database/session.js';
import type { History, HistoryFormat } from '../../../src/migrations/history/history.js';
import { openHistory } from '../../../src/migrations/history/open-history.js';
import type { NewHistoryRow } from '../../../src/migrations/migration.js';
import { readMigratorOptions } from '../../../src/migrations/options.js';
import { parseVersion } from '../../../src/migrations/version.js';
import { useDatabase } from '../../harness/database.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';

const postgres = useDatabase();
const mariadb = useMysqlDatabase();

const row: NewHistoryRow = {
  version: parseVersion('1.2'),
  description: 'add orders',
  type: 'SQL',
  script: 'V1_2__add orders.sql',
  checksum: -1_234_567,
  sha256: 'ab'.repeat(32),
  installedBy: 'shop',
  executionTimeMs: 12.6,
  success: true,
};

const drivers = [
  ['pg', () => postgres.url],
  ['mysql2', () => mariadb.url],
  ['mariadb', () => mariadb.url],
] as const;

const tableOf = {
  holdfast: 'holdfast_schema_history',
  flyway: 'flyway_schema_history',
  prisma: '_prisma_migrations',
} as const;

/** How many milliseconds it is off the time between `before` and now. A table may tell whole seconds only. */
function offBy(moment: Date, before: number): number {
  const at = moment.getTime();
  return Math.max(0, before - 1000 - at, at - 1000 - Date.now());
}

describe.each(drivers)('the history by %s', (driver, url) => {
  let database: Database;
  let session: MigrationSession;

  beforeEach(async () => {
    database = await openDatabase(readMigratorOptions({ url: url(), driver }));
    session = await database.open();
  });

  afterEach(async () => {
    for (const table of Object.values(tableOf))
      await session.query(`DROP TABLE IF EXISTS ${session.quote(table)}`);
    await session.end();
    await database.close();
  });

  const open = async (format: HistoryFormat): Promise<History> => {
    const history = await openHistory(session, readMigratorOptions({ url: url(), history: format }).history);
    await history.create(session);
    return history;
  };

  describe.each(['holdfast', 'flyway', 'prisma'] as const)('in the format %s', (format) => {
    test('is there once it was created', async () => {
      const history = await openHistory(
        session,
        readMigratorOptions({ url: url(), history: format }).history,
      );
      expect(history.name).toBe(tableOf[format]);
      expect(await history.exists(session)).toBe(false);
      await history.create(session);
      expect(await history.exists(session)).toBe(true);
      expect(await history.list(session)).toEqual([]);
    });

    test('gives back what was written, by rank', async () => {
      const history = await open(format);
      const before = Date.now();
      await history.add(session, row);
      await history.add(session, {
        ...row,
        version: parseVersion('3'),
        script: 'V3__late.sql',
        success: false,
      });
      const [first, second] = await history.list(session);
      expect(first).toMatchObject({ installedRank: 1, success: true, script: row.script, type: 'SQL' });
      expect(first!.version?.text).toBe('1.2');
      expect(offBy(first!.installedOn, before)).toBe(0);
      expect(second).toMatchObject({ installedRank: 2, success: false, script: 'V3__late.sql' });
    });

    test('changes and removes rows', async () => {
      const history = await open(format);
      await history.add(session, { ...row, success: false });
      await history.list(session);
      await history.update(session, 1, { success: true, sha256: 'cd'.repeat(32), checksum: 7 });
      expect((await history.list(session))[0]).toMatchObject({ success: true });
      await history.remove(session, 1);
      expect(await history.list(session)).toEqual([]);
    });

    test('is read whatever the search path or the time zone of the session is', async () => {
      const history = await open(format);
      await session.query(driver === 'pg' ? "SET TIME ZONE 'Asia/Tokyo'" : "SET time_zone = '+09:00'");
      if (driver === 'pg') await session.query("SELECT pg_catalog.set_config('search_path', '', false)");
      const before = Date.now();
      await history.add(session, row);
      const [written] = await history.list(session);
      expect(offBy(written!.installedOn, before)).toBe(0);
      if (driver === 'pg') await session.query('RESET ALL');
    });
  });

  // Flyway's column on PostgreSQL has no time zone, so there it takes a session like the one that wrote it.
  test.each(driver === 'pg' ? (['prisma'] as const) : (['holdfast', 'flyway', 'prisma'] as const))(
    '%s is read in another time zone than it was written in',
    async (format) => {
      const history = await open(format);
      const moments: number[] = [];
      const before = Date.now();
      for (const zone of ['+09:00', '-05:00', '+00:00']) {
        await session.query(driver === 'pg' ? `SET TIME ZONE '${zone}'` : `SET time_zone = '${zone}'`);
        if (moments.length === 0) await history.add(session, row);
        moments.push((await history.list(session))[0]!.installedOn.getTime());
      }
      expect(offBy(new Date(moments[0]!), before)).toBe(0);
      expect(new Set(moments).size).toBe(1);
    },
  );

  test.each(['holdfast', 'flyway'] as const)('%s keeps every field', async (format) => {
    const history = await open(format);
    await history.add(session, row);
    const { version, ...fields } = (await history.list(session))[0]!;
    expect(version?.text).toBe('1.2');
    const { version: _, sha256, ...written } = row;
    expect(fields).toEqual({
      ...written,
      ...(format === 'holdfast' ? { sha256 } : {}),
      executionTimeMs: 13,
      installedRank: 1,
      installedOn: expect.any(Date),
    });
  });

  test('flyway: a repeatable migration has no version, a baseline no checksum', async () => {
    const history = await open('flyway');
    const { version: _, checksum: __, ...bare } = row;
    await history.add(session, bare);
    const [written] = await history.list(session);
    expect(written).not.toHaveProperty('version');
    expect(written).not.toHaveProperty('checksum');
  });

  test('flyway: a description that the column cannot hold is cut off', async () => {
    const history = await open('flyway');
    await history.add(session, { ...row, description: 'x'.repeat(300) });
    expect((await history.list(session))[0]!.description).toBe(`${'x'.repeat(197)}...`);
  });

  test('flyway: the table is the one that Flyway creates, so that Flyway goes on with it', async () => {
    await open('flyway');
    const columns = await session.query<{ name: string; type: string; nullable: string }>(
      `SELECT column_name AS name, ${driver === 'pg' ? "data_type || coalesce('(' || character_maximum_length || ')', '')" : 'column_type'} AS type, is_nullable AS nullable
         FROM information_schema.columns WHERE table_name = 'flyway_schema_history' AND table_schema = ${driver === 'pg' ? 'current_schema()' : 'DATABASE()'}
        ORDER BY ordinal_position`,
    );
    const [int, text, time, flag] =
      driver === 'pg'
        ? ['integer', 'character varying', 'timestamp without time zone', 'boolean']
        : ['int(11)', 'varchar', 'timestamp', 'tinyint(1)'];
    expect(columns.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`)).toEqual([
      `installed_rank ${int} NO`,
      `version ${text}(50) YES`,
      `description ${text}(200) NO`,
      `type ${text}(20) NO`,
      `script ${text}(1000) NO`,
      `checksum ${int} YES`,
      `installed_by ${text}(100) NO`,
      `installed_on ${time} NO`,
      `execution_time ${int} NO`,
      `success ${flag} NO`,
    ]);
    const indexes = await session.query<{ name: string }>(
      driver === 'pg'
        ? "SELECT indexname AS name FROM pg_indexes WHERE tablename = 'flyway_schema_history' ORDER BY 1"
        : "SELECT index_name AS name FROM information_schema.statistics WHERE table_name = 'flyway_schema_history' AND table_schema = DATABASE() ORDER BY 1",
    );
    const key = driver === 'pg' ? 'flyway_schema_history_pk' : 'PRIMARY';
    expect(new Set(indexes.map(({ name }) => name))).toEqual(new Set([key, 'flyway_schema_history_s_idx']));
  });

  test('prisma: a migration is called by its folder, and its checksum is the SHA-256', async () => {
    const history = await open('prisma');
    const script = '20260131120000_add_orders/migration.sql';
    await history.add(session, { ...row, script });
    const [raw] = await session.query(
      `SELECT migration_name, checksum, logs, rolled_back_at, applied_steps_count FROM ${history.table}`,
    );
    expect(raw).toMatchObject({
      migration_name: '20260131120000_add_orders',
      checksum: row.sha256,
      logs: null,
      rolled_back_at: null,
      applied_steps_count: 1,
    });
    expect((await history.list(session))[0]).toMatchObject({
      script,
      description: 'add orders',
      sha256: row.sha256,
    });
  });

  test('prisma: an undone migration is rolled back, as `prisma migrate resolve` has it', async () => {
    const history = await open('prisma');
    await history.add(session, row);
    await history.add(session, { ...row, type: 'UNDO_SQL', script: 'U1_2__add orders.sql' });
    expect(await history.list(session)).toEqual([]);
    const [raw] = await session.query(`SELECT rolled_back_at FROM ${history.table}`);
    expect(raw!['rolled_back_at']).not.toBeNull();
  });

  test('prisma: what its table has no word for is refused', async () => {
    const history = await open('prisma');
    await expect(history.add(session, { ...row, type: 'BASELINE' })).rejects.toThrow(
      /no row of the type BASELINE/,
    );
  });
});
