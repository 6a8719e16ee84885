import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationFailedError } from '../../../src/migrations/index.js';
import { useChildProgram } from './child-program.js';
import { failureOf, usePostgres, useWorkspace } from './workspace.js';

describe('a file of PostgreSQL that is sent whole, with its row and its COMMIT', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);
  const program = useChildProgram();

  /** Until a migration of this database is in pg_sleep(). */
  const asleep = async (): Promise<void> => {
    const sql =
      "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    while ((await engine.query(sql)).length === 0) await sleep(20);
  };

  test('is one packet, unless a clause has to be looked at before the COMMIT', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);',
      'V2__b.sql': 'INSERT INTO a VALUES (2);\n-- verify: SELECT 1 FROM a WHERE n > 2',
    });
    const proxy = await engine.db.proxy();
    await files.migrator({ url: proxy.url(engine.url) }).up();
    const sent = proxy.texts.filter((text) => /INSERT INTO a /.test(text));
    expect(sent).toHaveLength(2);
    expect(sent[0]).toMatch(
      /\nBEGIN[^]*CREATE TABLE a [^]*INSERT INTO "public"\."holdfast_schema_history"[^]*\nCOMMIT$/,
    );
    expect(sent[1]).not.toMatch(/\nCOMMIT$/);
    expect(await engine.query('SELECT script, success FROM holdfast_schema_history ORDER BY 1')).toEqual([
      { script: 'V1__a.sql', success: true },
      { script: 'V2__b.sql', success: true },
    ]);
  });

  test('takes the rank behind the last one, also where it writes to the history itself', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);',
      'V2__b.sql': `INSERT INTO holdfast_schema_history SELECT installed_rank + 6, '1.5', description, type, script,
        checksum, installed_by, installed_on, execution_time, success FROM holdfast_schema_history WHERE version = '1';`,
      'V3__c.sql': 'CREATE TABLE c (n INT);',
    });
    await files.migrator().up();
    expect(
      await engine.query('SELECT installed_rank AS rank, version FROM holdfast_schema_history ORDER BY 1'),
    ).toEqual([
      { rank: 1, version: '1' },
      { rank: 7, version: '1.5' },
      { rank: 8, version: '2' },
      { rank: 9, version: '3' },
    ]);
  });

  test('is rolled back where somebody else has written the row that was to be its own', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);',
      'V2__b.sql': 'SELECT pg_sleep(1);\nCREATE TABLE b (n INT);',
    });
    await files.migrator().up({ to: '1' });
    const failing = failureOf(files.migrator().up());
    await asleep();
    await engine.query(
      "INSERT INTO holdfast_schema_history SELECT 2, '7', 'by hand', type, 'V7__by_hand.sql', checksum, installed_by, installed_on, 0, true FROM holdfast_schema_history",
    );
    expect((await failing).message).toMatch(
      /Lost the migration lock: somebody else has written the row 2 of "public"\."holdfast_schema_history", which was to be that of V2__b\.sql/,
    );
    expect(await engine.tables()).toEqual(['a']);
  });

  test('is brought to its end by the server when its deployer is killed, and found by the next one', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);\nSELECT pg_sleep(1);\nINSERT INTO a VALUES (1);',
    });
    const child = program.up({
      url: engine.url,
      driver: engine.driver,
      directories: ['.'],
      cwd: files.folder,
    });
    await asleep();
    child.kill();
    await child.ended;
    expect((await files.migrator().up()).applied).toEqual([]);
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }]);
    const [row] = await engine.query('SELECT execution_time FROM holdfast_schema_history');
    expect(row!['execution_time']).toBeGreaterThanOrEqual(1000);
    expect(row!['execution_time']).toBeLessThan(30_000);
  });

  test('had committed nothing when an administrator ends its session, whether the server can be asked or not', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT);\nSELECT pg_sleep(600);' });
    const proxy = await engine.db.proxy();
    const failing = failureOf<MigrationFailedError>(files.migrator({ url: proxy.url(engine.url) }).up());
    await asleep();
    proxy.refuse();
    await engine.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()",
    );
    const error = await failing;
    expect(error).toMatchObject({ script: 'V1__a.sql', effect: 'rolled back' });
    expect(error.message).toContain('The server rolls back what a lost connection had not committed');
    expect(await engine.tables()).toEqual([]);
  });

  test('is asked after when the connection is lost without a word', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT);\nSELECT 1 / 0;' });
    const proxy = await engine.db.proxy();
    proxy.arm(/CREATE TABLE a /, { action: 'cut-after' }, { times: 1 });
    const url = proxy.url(engine.url);
    const error = await failureOf<MigrationFailedError>(files.migrator({ url }).up());
    expect(error).toMatchObject({ script: 'V1__a.sql', effect: 'rolled back' });
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT);\nSELECT 1;' });
    proxy.arm(/CREATE TABLE a /, { action: 'cut-after' }, { times: 1 });
    expect((await files.migrator({ url }).up()).applied).toMatchObject([{ script: 'V1__a.sql' }]);
    expect(await engine.tables()).toEqual(['a']);
  });

  test('under a lease, and as an undo, its row travels behind it', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'U1__a.sql': 'DROP TABLE a' });
    const migrator = files.migrator({ lock: { kind: 'lease' } });
    expect((await migrator.up()).applied).toMatchObject([{ script: 'V1__a.sql' }]);
    expect((await migrator.undo()).undone).toMatchObject([{ script: 'U1__a.sql' }]);
    expect(await engine.tables()).toEqual([]);
  });
});

describe('a callback whose COMMIT has no answer', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  test('has no row that would settle it: its outcome is said to be unknown', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    await files.migrator().up();
    files.write({ 'V2__b.sql': 'SELECT 1', 'afterMigrate.sql': 'INSERT INTO a VALUES (1)' });
    const proxy = await engine.db.proxy();
    proxy.arm(/^RESET[^]*\nCOMMIT$/, { action: 'cut-after' }, { times: 1 });
    const error = await failureOf<MigrationFailedError>(files.migrator({ url: proxy.url(engine.url) }).up());
    expect(error).toMatchObject({ script: 'afterMigrate.sql', effect: 'unknown' });
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }]);
  });
});
