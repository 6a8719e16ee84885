import {
  MigrationFailedError,
  ValidationFailedError,
  VerifyFailedError,
} from '../../../src/migrations/index.js';
import { ENGINES, failureOf, notesOf, useWorkspace } from './workspace.js';

describe.each(ENGINES)('up by %s', (_, use) => {
  const engine = use();
  const files = useWorkspace(engine);

  test('applies what is pending, by version and not by name', async () => {
    files.write({
      'V10__c.sql': 'INSERT INTO log VALUES (10);',
      'V2__b.sql': 'INSERT INTO log VALUES (2);',
      'V1__a.sql': 'CREATE TABLE log (n INT);',
      'R__view.sql': 'INSERT INTO log VALUES (99)',
    });
    const { applied, version } = await files.migrator().up();
    expect(applied.map(({ script, statements }) => [script, statements])).toEqual([
      ['V1__a.sql', 1],
      ['V2__b.sql', 1],
      ['V10__c.sql', 1],
      ['R__view.sql', 1],
    ]);
    expect(version).toBe('10');
    expect((await engine.query('SELECT n FROM log')).map(({ n }) => n)).toEqual([2, 10, 99]);
    expect(
      files.events.flatMap((event) =>
        event.kind === 'started' ? [`${event.number}/${event.of} ${event.script}`] : [],
      ),
    ).toEqual(['1/4 V1__a.sql', '2/4 V2__b.sql', '3/4 V10__c.sql', '4/4 R__view.sql']);
  });

  test('takes no lock and changes nothing where nothing is pending', async () => {
    const migrator = files.migrator();
    files.write({});
    expect(await migrator.up()).toEqual({ applied: [], version: undefined });
    expect(files.events.map(({ kind }) => kind)).toEqual(['connected']);
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    await migrator.up();
    files.events.length = 0;
    expect(await migrator.up()).toEqual({ applied: [], version: '1' });
    expect(files.events.map(({ kind }) => kind)).toEqual(['connected']);
  });

  test('stops at the version of `to`, and after `step` migrations', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': 'CREATE TABLE b (n INT)',
      'V3__c.sql': 'CREATE TABLE c (n INT)',
      'V4__d.sql': 'CREATE TABLE d (n INT)',
    });
    const migrator = files.migrator();
    expect((await migrator.up({ to: '2' })).version).toBe('2');
    expect((await migrator.up({ step: 1 })).applied.map(({ script }) => script)).toEqual(['V3__c.sql']);
    expect(await engine.tables()).toEqual(['a', 'b', 'c']);
  });

  test('reads a BOM, CRLF, spaces in a name, no newline at the end, an empty file', async () => {
    files.write({
      'V1__with spaces.sql': '\uFEFFCREATE TABLE a (n INT);\r\nINSERT INTO a\r\nVALUES (1);\r\n-- done',
      'sub folder/V2__b.sql': 'INSERT INTO a VALUES (2)',
      'V3__empty.sql': '',
      'V4__comment.sql': '-- nothing to do',
    });
    const { applied } = await files.migrator().up();
    expect(applied.map(({ script, statements }) => [script, statements])).toEqual([
      ['V1__with spaces.sql', 2],
      ['sub folder/V2__b.sql', 1],
      ['V3__empty.sql', 0],
      ['V4__comment.sql', 0],
    ]);
    expect(await engine.query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('refuses an edited file, a deleted one, a lower version that came late', async () => {
    files.write({ 'V2__a.sql': 'CREATE TABLE a (n INT)', 'V3__b.sql': 'CREATE TABLE b (n INT)' });
    const migrator = files.migrator();
    await migrator.up();
    files.write({ 'V2__a.sql': 'CREATE TABLE a (n BIGINT)' });
    const edited = await failureOf(migrator.up());
    expect(edited).toBeInstanceOf(ValidationFailedError);
    expect(edited.message).toMatch(/^V2__a\.sql /);
    files.write({ 'V2__a.sql': null });
    expect((await failureOf(migrator.up())).message).toMatch(/^V2__a\.sql /);
    files.write({ 'V2__a.sql': 'CREATE TABLE a (n INT)', 'V1__late.sql': 'CREATE TABLE late (n INT)' });
    expect((await failureOf(migrator.up())).message).toMatch(
      /^V1__late\.sql is not applied.*--out-of-order/s,
    );
    expect((await migrator.up({ outOfOrder: true })).applied.map(({ script }) => script)).toEqual([
      'V1__late.sql',
    ]);
    const states = (await migrator.status()).entries.map(({ script, state }) => [script, state]);
    expect(states).toContainEqual(['V1__late.sql', 'OUT_OF_ORDER']);
  });

  test('runs a repeatable migration again when it was edited, and only then', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'R__seed.sql': 'INSERT INTO a VALUES (1)' });
    const migrator = files.migrator();
    await migrator.up();
    expect((await migrator.up()).applied).toEqual([]);
    files.write({ 'R__seed.sql': 'INSERT INTO a VALUES (2)' });
    expect((await migrator.up()).applied.map(({ script }) => script)).toEqual(['R__seed.sql']);
  });

  test('a failing statement is named by file, line and column, with what is left and what comes next', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT NOT NULL)',
      'V2__b.sql':
        "INSERT INTO a VALUES (1);\n\n  INSERT INTO nowhere\n  VALUES ('secret');\nINSERT INTO a VALUES (2)",
      'V3__c.sql': 'CREATE TABLE c (n INT)',
    });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toBeInstanceOf(MigrationFailedError);
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'rolled back', position: { line: 3 } });
    expect(error.message).toMatch(/^V2__b\.sql:3:\d+: .*nowhere/);
    expect(error.message).toContain("  INSERT INTO nowhere VALUES ('secret')");
    expect(error.message).toContain('It was rolled back');
    expect(error.message).toContain('This run had applied before: V1__a.sql. Not applied: V3__c.sql.');
    expect(error.message).toMatch(/\nNext: /);
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
    expect(await engine.tables()).toEqual(['a']);
    files.write({ 'V2__b.sql': 'INSERT INTO a VALUES (1)' });
    expect((await files.migrator().up()).applied.map(({ script }) => script)).toEqual([
      'V2__b.sql',
      'V3__c.sql',
    ]);
  });

  test('control of transactions inside a file is refused with its line', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': 'INSERT INTO a VALUES (1);\nCOMMIT;\n',
    });
    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(/^V2__b\.sql:2:1: COMMIT would end or begin the transaction/);
    expect(error.message).toContain('Nothing of it was sent.');
    expect(error.message).toContain('-- no-transaction');
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
  });

  test('with `-- no-transaction` each statement commits by itself, and what the file has begun is one', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql':
        '-- no-transaction\nINSERT INTO a VALUES (1);\nBEGIN;\nINSERT INTO a VALUES (2);\nINSERT INTO a VALUES (3);\nCOMMIT;\nBEGIN;\nINSERT INTO a VALUES (4);\nINSERT INTO nowhere VALUES (5);\nCOMMIT;',
    });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ effect: 'partial', position: { line: 9 } });
    expect(error.message).toContain('Its statements 1 to 5 took effect and stay.');
    expect((await files.migrator().status()).entries.at(-1)!.state).toBe('FAILED');
    files.write({
      'V2__b.sql':
        '-- no-transaction\nINSERT INTO a VALUES (1);\nBEGIN;\nINSERT INTO a VALUES (2);\nINSERT INTO a VALUES (3);\nCOMMIT;\nBEGIN;\nINSERT INTO a VALUES (4);\nINSERT INTO a VALUES (5);\nCOMMIT;',
    });
    await files.migrator().up();
    expect((await engine.query('SELECT n FROM a ORDER BY n')).map(({ n }) => n)).toEqual([1, 2, 3, 4, 5]);
    expect((await files.migrator().status()).entries.at(-1)!.state).toBe('SUCCESS');
    expect(await engine.query('SELECT * FROM holdfast_migration_journal')).toEqual([]);
  });

  test('other control of transactions is refused there before it is sent', async () => {
    files.write({
      'V1__a.sql': '-- no-transaction\nCREATE TABLE a (n INT);\nROLLBACK;\nCREATE TABLE b (n INT);',
    });
    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(/^V1__a\.sql:3:1: ROLLBACK stands outside of a transaction/);
    expect(await engine.tables()).toEqual([]);
  });

  test('a BEGIN without its COMMIT is an error', async () => {
    files.write({
      'V1__a.sql': '-- no-transaction\nCREATE TABLE a (n INT);\nBEGIN;\nINSERT INTO a VALUES (1);',
    });
    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(/^V1__a\.sql:3:1: this BEGIN has no COMMIT/);
    expect(await engine.tables()).toEqual([]);
  });

  test('a verify clause that returns rows fails the migration, and tells columns but no values', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT, secret VARCHAR(20))',
      'V2__b.sql':
        "-- verify after: SELECT n, secret FROM a WHERE n > 1\nINSERT INTO a VALUES (1, 'x'), (2, 'hunter2'), (3, 'hunter3')",
    });
    const error = await failureOf<VerifyFailedError>(files.migrator().up());
    expect(error).toBeInstanceOf(VerifyFailedError);
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'rolled back' });
    expect(error.message).toContain('returned 2 with the columns n, secret');
    expect(error.message).not.toContain('hunter2');
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
  });

  test('what a migration sets does not reach the next one', async () => {
    const pg = engine.driver === 'pg';
    files.write({
      'V1__a.sql': pg
        ? "CREATE TABLE public.a (v TEXT); SET lock_timeout = '7s'; SELECT pg_catalog.set_config('search_path', '', false);"
        : "CREATE TABLE a (v TEXT); SET SESSION sql_mode = '', foreign_key_checks = 0;",
      'V2__b.sql': pg
        ? "INSERT INTO a SELECT current_setting('lock_timeout')"
        : 'INSERT INTO a SELECT CONCAT(@@SESSION.sql_mode, @@SESSION.foreign_key_checks)',
    });
    await files.migrator().up();
    const [row] = await engine.query('SELECT v FROM a');
    expect(row!['v']).toMatch(pg ? /^0$/ : /STRICT_TRANS_TABLES.*(?:1|ON)$/);
  });

  test('the options set timeouts, and the next migration has them as well', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (v TEXT)',
      'V2__b.sql':
        engine.driver === 'pg'
          ? "INSERT INTO a SELECT current_setting('lock_timeout') || ' ' || current_setting('statement_timeout')"
          : "INSERT INTO a SELECT CONCAT(@@SESSION.lock_wait_timeout, ' ', @@SESSION.max_statement_time)",
    });
    await files.migrator({ lockTimeoutMs: 3000, statementTimeoutMs: 90_000 }).up();
    const [row] = await engine.query('SELECT v FROM a');
    expect(row!['v']).toBe(engine.driver === 'pg' ? '3s 90s' : '3 90.000000');
  });

  test('refuses a schema with tables and without a history, and names what to do', async () => {
    await engine.query('CREATE TABLE customers (n INT)');
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const error = await failureOf(files.migrator().up());
    expect(error).toBeInstanceOf(ValidationFailedError);
    expect(error.message).toMatch(/not empty \(customers\).*baseline V.*adopt --from/s);
    const problems = [{ script: 'V1__a.sql', state: 'PENDING', message: error.message }];
    expect(await files.migrator().status()).toMatchObject({ problems, pending: ['V1__a.sql'] });
    expect(await files.migrator().validate()).toMatchObject({ problems });
    const check = async () =>
      (await files.migrator().doctor()).checks.find(({ name }) => name === 'migrations');
    expect(await check()).toEqual({ name: 'migrations', result: 'failed', message: error.message });
    await files.migrator().baseline({ version: '0' });
    expect(await files.migrator().validate()).toMatchObject({ problems: [] });
    expect(await check()).toMatchObject({ result: 'ok' });
    await files.migrator().up();
    expect(await engine.tables()).toEqual(['a', 'customers']);
  });

  test('a schema with tables, without a history and without files is no problem yet: `up` does nothing', async () => {
    await engine.query('CREATE TABLE customers (n INT)');
    files.write({ 'beforeMigrate.sql': 'SELECT 1' });
    expect((await files.migrator().up()).applied).toEqual([]);
    expect(await files.migrator().validate()).toEqual({ problems: [], pending: [] });
    expect((await files.migrator().status()).problems).toEqual([]);
  });

  test('names the tool whose history is there', async () => {
    await engine.query('CREATE TABLE schema_migrations (version VARCHAR(50))');
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    expect((await failureOf(files.migrator().up())).message).toContain('adopt --from dbmate');
  });

  test('a listener that throws disturbs nothing', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const migrator = files.migrator({
      onEvent: () => {
        throw new Error('from the listener');
      },
    });
    expect((await migrator.up()).applied).toHaveLength(1);
  });

  test('undoes the last version, or every one above another', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': 'CREATE TABLE b (n INT)',
      'V3__c.sql': 'CREATE TABLE c (n INT)',
      'U1__a.sql': 'DROP TABLE a',
      'U2__b.sql': 'DROP TABLE b',
      'U3__c.sql': 'DROP TABLE c',
    });
    const migrator = files.migrator();
    await migrator.up();
    const { undone, version } = await migrator.undo();
    expect(undone.map(({ script }) => script)).toEqual(['U3__c.sql']);
    expect(version).toBe('2');
    expect((await migrator.undo({ to: '0' })).undone.map(({ script }) => script)).toEqual([
      'U2__b.sql',
      'U1__a.sql',
    ]);
    expect(await engine.tables()).toEqual([]);
    expect((await migrator.up()).applied).toHaveLength(3);
    expect(await engine.tables()).toEqual(['a', 'b', 'c']);
  });

  test('runs callbacks around a run, and those of an error without hiding it', async () => {
    const tell = (moment: string): string => `INSERT INTO told VALUES ('${moment}')`;
    files.write({
      'V1__a.sql': 'CREATE TABLE told (moment VARCHAR(50))',
      'afterEachMigrate.sql': tell('afterEachMigrate'),
      'afterMigrate__1.sql': tell('afterMigrate 1'),
      'afterMigrate__2.sql': tell('afterMigrate 2'),
      'afterMigrateApplied.sql': tell('afterMigrateApplied'),
      'afterMigrateError.sql': tell('afterMigrateError'),
      'afterEachMigrateError.sql': 'INSERT INTO nowhere VALUES (1)',
    });
    const told = async (): Promise<unknown[]> => {
      const rows = await engine.query('SELECT moment FROM told');
      await engine.query('DELETE FROM told');
      return rows.map(({ moment }) => moment);
    };
    await files.migrator().up();
    expect(await told()).toEqual([
      'afterEachMigrate',
      'afterMigrateApplied',
      'afterMigrate 1',
      'afterMigrate 2',
    ]);
    files.write({
      'beforeMigrate.sql': tell('beforeMigrate'),
      'beforeEachMigrate.sql': tell('beforeEachMigrate'),
      'V2__b.sql': 'INSERT INTO missing VALUES (1)',
    });
    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(/^V2__b\.sql:1:\d+: .*missing/);
    expect(await told()).toEqual(['beforeMigrate', 'beforeEachMigrate', 'afterMigrateError']);
    expect(notesOf(files.events).join()).toContain('The callback failed: ');
  });

  test('a callback that fails is named', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'beforeMigrate.sql': 'INSERT INTO nowhere VALUES (1)',
    });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ script: 'beforeMigrate.sql', effect: 'rolled back' });
    expect(await engine.tables()).toEqual([]);
  });
});
