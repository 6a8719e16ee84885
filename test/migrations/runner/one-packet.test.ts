import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationFailedError } from '../../../src/migrations/index.js';
import type { TestDatabase } from '../../harness/database.js';
import { useChildProgram } from './child-program.js';
import { failureOf, usePostgres, useWorkspace } from './workspace.js';

describe('a file of PostgreSQL that is sent whole, with its row and its COMMIT', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);
  const program = useChildProgram();

  /** Until a migration of this database waits so. */
  const waits = async (event: string): Promise<void> => {
    const sql = `SELECT 1 FROM pg_stat_activity WHERE wait_event = '${event}' AND datname = current_database()`;
    while ((await engine.query(sql)).length === 0) await sleep(20);
  };
  const asleep = (): Promise<void> => waits('PgSleep');

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

  const ranks = () =>
    engine.query('SELECT installed_rank AS rank, version FROM holdfast_schema_history ORDER BY 1');

  test('takes the rank behind the last one, also where it writes to the history itself', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);',
      'V2__b.sql': `INSERT INTO holdfast_schema_history SELECT installed_rank + 6, '1.5', description, type, script,
        checksum, installed_by, installed_on, execution_time, success FROM holdfast_schema_history WHERE version = '1';`,
      'V3__c.sql': 'CREATE TABLE c (n INT);',
    });
    await files.migrator().up();
    expect(await ranks()).toEqual([
      { rank: 1, version: '1' },
      { rank: 7, version: '1.5' },
      { rank: 8, version: '2' },
      { rank: 9, version: '3' },
    ]);
  });

  test('takes the next rank where somebody has written the row that was to be its own', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);',
      'V2__b.sql': 'SELECT pg_advisory_xact_lock(42);\nCREATE TABLE b (n INT);',
      'V3__c.sql': 'CREATE TABLE c (n INT);',
    });
    await files.migrator().up({ to: '1' });
    const gate = await (engine.db as TestDatabase).client();
    await gate.query('SELECT pg_advisory_lock(42)');
    const running = files.migrator().up();
    await waits('advisory');
    await engine.query(
      "INSERT INTO holdfast_schema_history SELECT 2, NULL, 'by hand', type, 'R__by_hand.sql', checksum, installed_by, installed_on, 0, true FROM holdfast_schema_history",
    );
    await gate.query('SELECT pg_advisory_unlock(42)');
    expect((await running).applied.map(({ script }) => script)).toEqual(['V2__b.sql', 'V3__c.sql']);
    expect(await ranks()).toEqual([
      { rank: 1, version: '1' },
      { rank: 2, version: null },
      { rank: 3, version: '2' },
      { rank: 4, version: '3' },
    ]);
    expect(await engine.tables()).toEqual(['a', 'b', 'c']);
  });

  test.each([
    ['in other letters', 'SELECT 1', 'INSERT INTO HOLDFAST_SCHEMA_HISTORY SELECT max(installed_rank) + 1'],
    [
      'by a function',
      `CREATE FUNCTION note() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('INSERT INTO holdfast_%s_history SELECT max(installed_rank) + 1, NULL, %L, %L, %L, NULL, %L, now(), 0, true FROM holdfast_%s_history', 'schema', 'x', 'SQL', 'R__x.sql', 'me', 'schema'); END $$`,
      'SELECT note()',
    ],
  ])('may write to the history itself %s', async (_, first, second) => {
    const rest = second.startsWith('INSERT')
      ? ", NULL, 'x', 'SQL', 'R__x.sql', NULL, 'me', now(), 0, true FROM HOLDFAST_SCHEMA_HISTORY"
      : '';
    files.write({
      'V1__a.sql': first,
      'V2__b.sql': `${second}${rest};`,
      'V3__c.sql': 'CREATE TABLE c (n INT);',
    });
    expect((await files.migrator().up()).applied).toHaveLength(3);
    expect(await ranks()).toEqual([
      { rank: 1, version: '1' },
      { rank: 2, version: null },
      { rank: 3, version: '2' },
      { rank: 4, version: '3' },
    ]);
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
