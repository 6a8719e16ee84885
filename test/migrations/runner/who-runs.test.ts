import { setTimeout as sleep } from 'node:timers/promises';
import type { LockBusyError, LockHolder, MigratorOptions } from '../../../src/migrations/index.js';
import { failureOf, useMariadb, usePostgres, useWorkspace, type Engine } from './workspace.js';

const GRID = [
  ['pg', 'session', usePostgres],
  ['pg', 'lease', usePostgres],
  ['mysql2', 'session', () => useMariadb('mysql2')],
  ['mariadb', 'session', () => useMariadb('mariadb')],
  ['mariadb', 'lease', () => useMariadb('mariadb')],
] as const;

/** What the gate holds back: DDL at the lock of a table, DML at that of a row. */
const DDL = 'ALTER TABLE a ADD m INT;\n';
const DML = 'UPDATE b SET n = 2;\n';
const HELD_BACK = {
  pg: "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  mysql: `SELECT 1 FROM information_schema.processlist p
    WHERE db = DATABASE() AND (state LIKE '%metadata lock%' OR EXISTS (
      SELECT 1 FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = p.id AND trx_state = 'LOCK WAIT'))`,
};

/** A schema with the tables, migrated to version 1, and migrations that are held back. */
function useGate(engine: Engine, kind: 'session' | 'lease') {
  const files = useWorkspace(engine);
  const migrator = (options: MigratorOptions = {}) =>
    files.migrator({ lock: { kind, waitMs: 0 }, ...options });

  beforeEach(async () => {
    files.write({
      'V1__tables.sql':
        'CREATE TABLE a (n INT);\nCREATE TABLE b (n INT);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\n',
    });
    await migrator().up();
  });

  return {
    files,
    migrator,
    /** Runs what is pending of each, and `look` while all of them are held back. */
    async during(runs: readonly MigratorOptions[], look: () => Promise<void>): Promise<void> {
      const { db } = engine;
      const client = 'client' in db ? await db.client() : await db.connection();
      const send = async (sql: string): Promise<void> =>
        void (await (client as { query(sql: string): Promise<unknown> }).query(sql));
      for (const sql of ['BEGIN', 'SELECT n FROM a', 'SELECT n FROM b FOR UPDATE']) await send(sql);
      const running = runs.map((options) => migrator(options).up());
      try {
        const sql = engine.driver === 'pg' ? HELD_BACK.pg : HELD_BACK.mysql;
        // InnoDB tells the same again to whoever asks within a tenth of a second.
        while ((await engine.query(sql)).length < runs.length)
          await Promise.race([sleep(120), Promise.all(running)]);
        await look();
      } finally {
        await send('COMMIT');
        await Promise.all(running);
      }
    },
    /** What a deployer is told that comes now. */
    async holder(options?: MigratorOptions): Promise<LockHolder | undefined> {
      const error = await failureOf<LockBusyError>(migrator(options).up());
      expect(error).toMatchObject({ code: 'LOCK_BUSY' });
      return error.holder;
    },
  };
}

describe.each(GRID)('whoever waits, by %s under a %s, is told of', (_, kind, use) => {
  const engine = use();
  const gate = useGate(engine, kind);

  test.each<[string, Record<string, string>, string]>([
    ['a file in its DDL', { 'V2__x.sql': DDL }, 'V2__x.sql'],
    ['a file in its DML after DDL', { 'V2__x.sql': `CREATE TABLE c (n INT);\n${DML}` }, 'V2__x.sql'],
    ['a file in its DDL after DML', { 'V2__x.sql': `INSERT INTO a VALUES (2);\n${DDL}` }, 'V2__x.sql'],
    ['a file of DML', { 'V2__x.sql': DML }, 'V2__x.sql'],
    ['DDL after a file of DML', { 'V2__x.sql': 'INSERT INTO a VALUES (2)', 'V3__y.sql': DDL }, 'V3__y.sql'],
    ['DDL after a file of DDL', { 'V2__x.sql': 'CREATE TABLE c (n INT)', 'V3__y.sql': DDL }, 'V3__y.sql'],
    ['DML after a file of DDL', { 'V2__x.sql': 'CREATE TABLE c (n INT)', 'V3__y.sql': DML }, 'V3__y.sql'],
    [
      'DML in a file without a transaction',
      { 'V2__x.sql': `-- no-transaction\nINSERT INTO a VALUES (2);\n${DML}` },
      'V2__x.sql',
    ],
  ])('%s', async (_what, files, script) => {
    gate.files.write(files);
    await gate.during([{}], async () => {
      expect(await gate.holder()).toMatchObject({ pid: process.pid, migration: script });
    });
  });

  test('what is run of the same history', async () => {
    const other: MigratorOptions = { history: { table: 'other_history' }, directories: ['other'] };
    gate.files.write({ 'V2__ours.sql': DDL, 'other/V2__theirs.sql': `CREATE TABLE c (n INT);\n${DML}` });
    await gate.migrator(other).baseline({ version: '1' });
    const ours: MigratorOptions = { recursive: false };
    await gate.during([ours, other], async () => {
      expect((await gate.holder(ours))!.migration).toBe('V2__ours.sql');
      expect((await gate.holder(other))!.migration).toBe('V2__theirs.sql');
    });
  });
});

describe.each(['mysql2', 'mariadb'] as const)('a session lock of MySQL, by %s', (driver) => {
  const engine = useMariadb(driver);
  const gate = useGate(engine, 'session');

  test('names no file that is through when a later one is, too', async () => {
    gate.files.write({
      'V2__x.sql': 'INSERT INTO a VALUES (2)',
      'V3__y.sql': 'CREATE TABLE c (n INT)',
      'afterMigrate.sql': DML,
    });
    await gate.during([{}], async () => {
      // Nothing is pending, so that nobody would wait.
      const holder = await gate.migrator().lockHolder();
      expect(holder).toMatchObject({ pid: process.pid });
      expect(holder!.migration).toBeUndefined();
    });
  });

  test('is written into once for files of DDL, and once more for each change between them and others', async () => {
    gate.files.write({
      'V2__a.sql': 'CREATE TABLE c (n INT)',
      'V3__b.sql': 'CREATE TABLE d (n INT);\nINSERT INTO d VALUES (1);',
      'V4__c.sql': 'CREATE TABLE e (n INT)',
      'V5__d.sql': 'INSERT INTO e VALUES (1)',
      'V6__e.sql': 'CREATE TABLE f (n INT)',
      'V7__f.sql': 'CREATE TABLE g (n INT)',
    });
    const proxy = await engine.db.proxy();
    await gate.migrator({ url: proxy.url(engine.url) }).up();
    const written = proxy.texts.join('\n').match(/UPDATE \S*holdfast_migration_lock` *\s+SET since/g);
    // When it is got, V5 and V6.
    expect(written).toHaveLength(3);
  });
});
