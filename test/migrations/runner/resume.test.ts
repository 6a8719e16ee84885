import {
  MigrationFailedError,
  MigrationWarningError,
  ValidationFailedError,
} from '../../../src/migrations/index.js';
import { failureOf, notesOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const drivers = ['mysql2', 'mariadb'] as const;

describe.each(drivers)('a migration that failed half-way, by %s', (driver) => {
  const engine = useMariadb(driver);
  const files = useWorkspace(engine);
  const begun = 'CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\n';

  const failHalfWay = async (): Promise<MigrationFailedError> => {
    files.write({ 'V1__a.sql': `${begun}INSERT INTO nowhere VALUES (1);\nCREATE TABLE b (n INT);` });
    return failureOf<MigrationFailedError>(files.migrator().up());
  };

  test('says what stays and where it goes on', async () => {
    const error = await failHalfWay();
    expect(error).toMatchObject({ effect: 'partial', position: { line: 3, column: 1 } });
    expect(error.message).toContain('Its first statement took effect and stays.');
    const { entries, pending, problems } = await files.migrator().status();
    expect(entries).toMatchObject([{ script: 'V1__a.sql', state: 'FAILED' }]);
    expect(pending).toEqual(['V1__a.sql']);
    expect(problems).toMatchObject([
      {
        state: 'FAILED',
        message: expect.stringMatching(/^V1__a\.sql ended half-way.*`up` goes on where it stopped/),
      },
    ]);
    expect(await files.migrator().validate()).toEqual({ problems, pending });
  });

  test('goes on at the failed statement, with what comes after it edited', async () => {
    await failHalfWay();
    files.write({ 'V1__a.sql': `${begun}INSERT INTO a VALUES (2);\nCREATE TABLE c (n INT);` });
    expect((await files.migrator().up()).applied).toMatchObject([{ script: 'V1__a.sql', statements: 4 }]);
    expect(await engine.tables()).toEqual(['a', 'c']);
    expect(await engine.query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    const rows = await engine.query('SELECT script, success FROM holdfast_schema_history');
    expect(rows).toEqual([{ script: 'V1__a.sql', success: 1 }]);
    expect((await files.migrator().validate()).problems).toEqual([]);
  });

  test('says how far it came where statements shared a transaction', async () => {
    const kept = `${begun}SELECT 1;\nINSERT INTO a VALUES (2);\nINSERT INTO a VALUES (3);\n`;
    files.write({ 'V1__a.sql': `${kept}CREATE TABLE a (n INT);` });
    await failureOf(files.migrator().up());
    files.write({ 'V1__a.sql': `${kept}CREATE TABLE b (n INT);` });
    files.events.length = 0;
    await files.migrator().up();
    expect(notesOf(files.events)[0]).toBe(
      'An earlier run got as far as statement 5, in one transaction with those from statement 2 (line 2) on; 1 to 5 took effect. It goes on from there.',
    );
    expect(await engine.query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test('sets again what the file had set before the failed statement', async () => {
    const set =
      'SET foreign_key_checks = 0;\nCREATE TABLE child (n INT, FOREIGN KEY (n) REFERENCES nowhere (n));\n';
    files.write({ 'V1__a.sql': `${set}INSERT INTO nowhere VALUES (1);` });
    await failureOf(files.migrator().up());
    files.write({ 'V1__a.sql': `${set}INSERT INTO child VALUES (1);` });
    await files.migrator().up();
    expect(await engine.query('SELECT n FROM child')).toEqual([{ n: 1 }]);
  });

  test('refuses a file that was edited before the failed statement', async () => {
    await failHalfWay();
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n BIGINT);\nINSERT INTO a VALUES (1);\nSELECT 1;' });
    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(
      /^V1__a\.sql:1:1: statement 1 took effect in an earlier run, and the file has changed there since/,
    );
    expect(error.message).toContain('it was: CREATE TABLE a (n INT)');
    expect(error).toMatchObject({ effect: 'partial' });
    expect(error.message).not.toContain('Nothing of it took effect');
    expect(error.message).toMatch(/Next: Bring back the text that was run.*`repair`/s);
    expect(await engine.tables()).toEqual(['a']);
  });

  test('refuses a file that ends before what was done of it', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);\nCREATE TABLE b (n INT);\nINSERT INTO nowhere VALUES (1);',
    });
    await failureOf(files.migrator().up());
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT);' });
    expect((await failureOf(files.migrator().up())).message).toContain(
      'statement 2 took effect in an earlier run',
    );
  });

  test('begins anew after `repair`, for whoever took back by hand what was done', async () => {
    await failHalfWay();
    await engine.query('DROP TABLE a');
    const { changes } = await files.migrator().repair();
    expect(changes.join('\n')).toMatch(
      /Removed the failed run of V1__a\.sql.*\nForgot that V1__a\.sql had come to statement 1/,
    );
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n BIGINT)' });
    expect((await files.migrator().up()).applied).toMatchObject([{ script: 'V1__a.sql', statements: 1 }]);
  });

  test('a first statement that fails leaves nothing, and no row', async () => {
    files.write({ 'V1__a.sql': 'ALTER TABLE nowhere ADD COLUMN n INT;\nCREATE TABLE a (n INT);' });
    expect(await failureOf(files.migrator().up())).toMatchObject({ effect: 'rolled back' });
    expect((await files.migrator().status()).entries).toMatchObject([{ state: 'PENDING' }]);
  });

  test('a row that Flyway left behind is no invitation to go on', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    await files.migrator({ history: 'flyway' }).up();
    await engine.query('UPDATE flyway_schema_history SET success = 0');
    const error = await failureOf(files.migrator({ history: 'flyway' }).up());
    expect(error).toBeInstanceOf(ValidationFailedError);
    expect(error.message).toContain('repair');
  });

  test.each(['flyway', 'prisma'] as const)('goes on where the history is the one of %s', async (history) => {
    files.write({ 'V1__a.sql': `${begun}INSERT INTO nowhere VALUES (1);` });
    await failureOf(files.migrator({ history }).up());
    files.write({ 'V1__a.sql': `${begun}INSERT INTO a VALUES (2);` });
    await files.migrator({ history }).up();
    expect(await engine.query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    expect((await files.migrator({ history }).status()).entries).toMatchObject([{ state: 'SUCCESS' }]);
  });

  describe('what went with the session of the earlier run', () => {
    test('a variable that was read from data is not read again: who needs it is refused', async () => {
      const set =
        'CREATE TABLE i (n INT);\nINSERT INTO i VALUES (1), (2);\nSET @mx = (SELECT COUNT(*) FROM i);\nCREATE TABLE j (n INT);\n';
      files.write({ 'V1__a.sql': `${set}INSERT INTO nowhere VALUES (1);\nINSERT INTO j VALUES (@mx);` });
      await failureOf(files.migrator().up());
      await engine.query('INSERT INTO i VALUES (3)');
      files.write({ 'V1__a.sql': `${set}INSERT INTO j VALUES (@mx);` });
      const error = await failureOf<MigrationFailedError>(files.migrator().up());
      expect(error).toMatchObject({ effect: 'partial', position: { line: 5 } });
      expect(error.message).toMatch(
        /the value of @mx, from line 3, went with the session of the earlier run/,
      );
      expect(error.message).toMatch(/stops here until.*Next: Write the value itself/s);
      expect(await engine.query('SELECT n FROM j')).toEqual([]);
      files.write({ 'V1__a.sql': `${set}INSERT INTO j VALUES (2);` });
      await files.migrator().up();
      expect(await engine.query('SELECT n FROM j')).toEqual([{ n: 2 }]);
    });

    test('a temporary table: who needs it is refused', async () => {
      const begin = 'CREATE TEMPORARY TABLE picked (n INT);\nCREATE TABLE j (n INT);\n';
      files.write({ 'V1__a.sql': `${begin}ALTER TABLE nowhere ADD COLUMN n INT;` });
      await failureOf(files.migrator().up());
      files.write({ 'V1__a.sql': `${begin}INSERT INTO j SELECT n FROM picked;` });
      const error = await failureOf<MigrationFailedError>(files.migrator().up());
      expect(error.effect).toBe('partial');
      expect(error.message).toContain(
        'the temporary table of line 1 ended with the session of the earlier run (picked)',
      );
    });
  });

  test('what goes wrong while it tidies up hides nothing: the failure is told, with what stays', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);\nFLUSH TABLES WITH READ LOCK;\nCREATE TABLE b (n INT);',
    });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toBeInstanceOf(MigrationFailedError);
    expect(error.effect).toBe('partial');
    expect(error.message).toContain('took effect and stay');
    expect(await engine.tables()).toEqual(['a']);
  });

  describe('warnings', () => {
    test('with several codes are allowed by what can be pasted', async () => {
      files.write({
        'V1__a.sql': 'CREATE TABLE a (n TINYINT, t CHAR(1))',
        'V2__b.sql': "INSERT IGNORE INTO a VALUES (1000, 'long')",
      });
      const { message } = await failureOf(files.migrator().up());
      expect(message).toContain('allowWarnings: [1264, 1265], --allow-warning 1264 --allow-warning 1265.');
    });

    test('of rows fail and roll back', async () => {
      files.write({
        'V1__a.sql': 'CREATE TABLE a (n TINYINT)',
        'V2__b.sql': 'INSERT INTO a VALUES (1);\nINSERT IGNORE INTO a VALUES (1000);',
      });
      const error = await failureOf<MigrationWarningError>(files.migrator().up());
      expect(error).toBeInstanceOf(MigrationWarningError);
      expect(error).toMatchObject({ effect: 'rolled back', warnings: [{ code: '1264' }] });
      expect(error.message).toMatch(/^V2__b\.sql:2:1: the server took it with a warning, 1264/);
      expect(error.message).toContain('--allow-warning 1264');
      expect(await engine.query('SELECT n FROM a')).toEqual([]);
      await files.migrator({ allowWarnings: [1264] }).up();
      expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }, { n: 127 }]);
    });

    test('of DDL leave it in effect, and stand in the way until they are allowed', async () => {
      files.write({
        'V1__a.sql':
          "SET SESSION sql_mode = '';\nCREATE TABLE a (n INT) ENGINE = NONSENSE;\nCREATE TABLE b (n INT);",
      });
      const first = await failureOf<MigrationWarningError>(files.migrator().up());
      expect(first).toBeInstanceOf(MigrationWarningError);
      expect(first.effect).toBe('partial');
      expect(first.message).toContain('Every `up` stops here until that is settled.');
      expect(await engine.tables()).toEqual(['a']);
      const again = await failureOf<MigrationWarningError>(files.migrator().up());
      expect(again).toBeInstanceOf(MigrationWarningError);
      expect(again.message).toContain('took effect in an earlier run with a warning that is not allowed');
      expect(again.message).not.toContain('goes on after');
      const codes = again.warnings.map(({ code }) => code);
      await files.migrator({ allowWarnings: codes }).up();
      expect(await engine.tables()).toEqual(['a', 'b']);
    });

    test('that are more than the server keeps are not taken for allowed', async () => {
      const tooLong = (rows: number): string => `INSERT IGNORE INTO a SELECT 1000 FROM seq_1_to_${rows}`;
      files.write({ 'V1__a.sql': 'CREATE TABLE a (n TINYINT)', 'V2__b.sql': tooLong(1024) });
      const migrator = files.migrator({ allowWarnings: [1264] });
      await migrator.up();
      expect(files.events.filter(({ kind }) => kind === 'warning')).toHaveLength(20);
      expect(notesOf(files.events)).toContain('1004 more warnings of the statement in line 1.');
      files.write({ 'V3__c.sql': tooLong(1025) });
      const error = await failureOf<MigrationWarningError>(migrator.up());
      expect(error).toBeInstanceOf(MigrationWarningError);
      expect(error).toMatchObject({ effect: 'rolled back' });
      expect(error.message).toMatch(
        /^V3__c\.sql:1:1: the server took it with a warning, 0: the server counted 1025 and kept the first 1024\..*max_error_count = 65535/,
      );
      files.write({ 'V3__c.sql': `SET SESSION max_error_count = 65535; ${tooLong(65_534)}` });
      await migrator.up();
      files.write({ 'V4__d.sql': `SET SESSION max_error_count = 65535; ${tooLong(65_536)}` });
      expect((await failureOf(migrator.up())).message).toContain('counts no further than 65535');
      expect(await engine.query('SELECT COUNT(*) AS n FROM a')).toEqual([{ n: 1024 + 65_534 }]);
    });

    test('notes are none', async () => {
      files.write({ 'V1__a.sql': 'DROP TABLE IF EXISTS nowhere;\nCREATE TABLE a (n INT);' });
      await files.migrator().up();
      expect(files.events).toContainEqual(
        expect.objectContaining({ kind: 'warning', warning: expect.objectContaining({ level: 'note' }) }),
      );
    });
  });

  test('fills a row per day for an event of 1,500 days, as the statement stands', async () => {
    files.write({
      'V1__schema.sql': `
        CREATE TABLE event (event_id INT PRIMARY KEY, registration_start DATETIME, event_end DATETIME);
        CREATE TABLE event_statistic (event_statistic_id INT PRIMARY KEY, event_id INT);
        CREATE TABLE event_view_metric (id INT AUTO_INCREMENT PRIMARY KEY, event_statistic_id INT, view_date DATE, view_count INT, created_at DATETIME, updated_at DATETIME, UNIQUE (event_statistic_id, view_date));`,
      'V2__events.sql': `
        INSERT INTO event SELECT seq, '2020-01-01 10:00:00', '2020-01-01 10:00:00' + INTERVAL IF(seq = 1, 1499, 29) DAY FROM seq_1_to_2001;
        INSERT INTO event_statistic SELECT event_id, event_id FROM event;`,
      'V3__backfill.sql': BACKFILL,
    });
    await files.migrator().up();
    const [row] = await engine.query('SELECT count(*) AS n FROM event_view_metric');
    expect(Number(row!['n'])).toBe(61_500);
  });
});

describe('a statement that stands alone on PostgreSQL', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  test('leaves an INVALID index where it fails, which the next run drops', async () => {
    files.write({
      'V1__a.sql':
        'CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1), (1);\nCREATE UNIQUE INDEX CONCURRENTLY a_n ON a (n);\nCREATE TABLE b (n INT);',
    });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ effect: 'partial', position: { line: 3 } });
    expect(error.message).toContain('INVALID index');
    await engine.query('DELETE FROM a WHERE ctid = (SELECT max(ctid) FROM a)');
    await files.migrator().up();
    expect(await engine.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_n'::regclass")).toEqual([
      { indisvalid: true },
    ]);
    expect(notesOf(files.events).join('\n')).toContain('had not taken effect: it is run now');
    expect(await engine.tables()).toEqual(['a', 'b']);
  });

  test('an index that was there already is not taken for its own', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT);\nCREATE INDEX a_n ON a (n);' });
    await files.migrator().up();
    files.write({ 'V2__b.sql': 'CREATE TABLE b (n INT);\nCREATE INDEX CONCURRENTLY a_n ON b (n);' });
    await failureOf(files.migrator().up());
    expect((await failureOf(files.migrator().up())).message).toContain('already exists');
  });

  test('what nobody can tell is asked for, with the exact statement that answers', async () => {
    const procedure =
      'CREATE TABLE a (n INT);\nCREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO a VALUES (1); COMMIT; END $$;';
    files.write({
      'V1__a.sql': procedure,
      'V2__b.sql': '-- no-transaction\nCREATE TABLE b (n INT);\nCALL p();\nCREATE TABLE c (n INT);',
    });
    await files.migrator().up();
    // As after a crash: begun, and no answer.
    await engine.query("DELETE FROM holdfast_schema_history WHERE version = '2'");
    await engine.query('DROP TABLE c');
    const crash = await engine.query('SELECT count(*) AS n FROM a');
    expect(crash).toEqual([{ n: '1' }]);
    await engine.query(`INSERT INTO holdfast_migration_journal
      SELECT encode(sha256('holdfast_schema_history\\012V2__b.sql'::bytea), 'hex'), 1, 1, 'holdfast_schema_history', 'V2__b.sql',
             encode(sha256('CREATE TABLE b (n INT)\\000'::bytea), 'hex'), 2, 'CREATE TABLE b', NULL, 1, now(), now()
      UNION ALL
      SELECT encode(sha256('holdfast_schema_history\\012V2__b.sql'::bytea), 'hex'), 2, 2, 'holdfast_schema_history', 'V2__b.sql',
             encode(sha256('CALL p()\\000'::bytea), 'hex'), 3, 'CALL p()', NULL, 1, now(), NULL`);
    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(
      /^V2__b\.sql:3:1: statement 2 was sent by an earlier run, and its answer never came/,
    );
    const [, answer] = /If it took effect: (UPDATE [^;]+);/.exec(error.message)!;
    await engine.query(answer!);
    await files.migrator().up();
    expect(await engine.query('SELECT count(*) AS n FROM a')).toEqual([{ n: '1' }]);
    expect(await engine.tables()).toEqual(['a', 'b', 'c']);
  });
});

const BACKFILL = `INSERT INTO event_view_metric (event_statistic_id, view_date, view_count, created_at, updated_at)
SELECT DateSeries.event_statistic_id, DateSeries.metric_date, 0, NOW(), NOW()
FROM (
  WITH RECURSIVE DateSeries_CTE AS (
    SELECT es.event_statistic_id, CAST(e.registration_start AS DATE) AS metric_date, CAST(e.event_end AS DATE) AS end_date
    FROM event e JOIN event_statistic es ON e.event_id = es.event_id
    UNION ALL
    SELECT ds.event_statistic_id, DATE_ADD(ds.metric_date, INTERVAL 1 DAY), ds.end_date
    FROM DateSeries_CTE ds WHERE ds.metric_date < ds.end_date
  )
  SELECT * FROM DateSeries_CTE
) AS DateSeries
WHERE NOT EXISTS (
  SELECT 1 FROM event_view_metric evm
  WHERE evm.event_statistic_id = DateSeries.event_statistic_id AND evm.view_date = DateSeries.metric_date
);`;
