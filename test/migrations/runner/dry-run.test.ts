import { ValidationFailedError } from '../../../src/migrations/index.js';
import { failureOf, notesOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

describe('a dry run on PostgreSQL', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  test('counts rows and names the strongest lock of each table, and keeps nothing', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT PRIMARY KEY); INSERT INTO a VALUES (1), (2), (3);' });
    await files.migrator().up();
    files.write({
      'V2__b.sql': 'UPDATE a SET n = n + 10 WHERE n > 1; DELETE FROM a WHERE n = 1;',
      'V3__c.sql': 'ALTER TABLE a ADD COLUMN m INT; CREATE TABLE c (n INT); INSERT INTO c VALUES (1);',
      'V4__d.sql': 'CREATE INDEX CONCURRENTLY a_m ON a (m);\nINSERT INTO c VALUES (2);',
    });
    const { scripts } = await files.migrator().dryRun();
    expect(scripts).toEqual([
      {
        script: 'V2__b.sql',
        tables: [{ table: 'public.a', inserted: 0, updated: 2, deleted: 1, strongestLock: 'ROW EXCLUSIVE' }],
        statements: [],
      },
      {
        script: 'V3__c.sql',
        tables: [
          { table: 'public.a', inserted: 0, updated: 0, deleted: 0, strongestLock: 'ACCESS EXCLUSIVE' },
          { table: 'public.c', inserted: 1, updated: 0, deleted: 0, strongestLock: 'ACCESS EXCLUSIVE' },
        ],
        statements: [],
      },
      {
        script: 'V4__d.sql',
        tables: [{ table: 'public.c', inserted: 1, updated: 0, deleted: 0, strongestLock: undefined }],
        statements: [{ line: 1, text: 'CREATE INDEX CONCURRENTLY a_m ON a (m)', how: 'not run' }],
      },
    ]);
    expect(await engine.tables()).toEqual(['a']);
    expect((await engine.query('SELECT n FROM a ORDER BY n')).map(({ n }) => n)).toEqual([1, 2, 3]);
    expect((await files.migrator().status()).pending).toHaveLength(3);
    expect(await files.migrator().lockHolder()).toBeUndefined();
  });

  test('names what would fail', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': 'INSERT INTO nowhere VALUES (1)' });
    const error = await failureOf(files.migrator().dryRun());
    expect(error.message).toMatch(/^V2__b\.sql:1:\d+: .*nowhere.*dry run: everything is rolled back/s);
    expect(error.message).toContain('This run had tried before: V1__a.sql.');
    expect(await engine.tables()).toEqual([]);
  });

  test.each([
    ['BEGIN;\nCREATE TABLE b (n INT);\nCOMMIT;', 'BEGIN'],
    ['CREATE TABLE b (n INT);\nROLLBACK;', 'ROLLBACK'],
    ['CREATE TABLE b (n INT);\nDISCARD ALL;', 'DISCARD ALL'],
    ["SELECT 1;\nSELECT 'it''s", "text in ' quotes"],
  ])('refuses %j as `up` does', async (sql, said) => {
    files.write({ 'V1__b.sql': sql });
    const [dry, real] = [await failureOf(files.migrator().dryRun()), await failureOf(files.migrator().up())];
    expect(dry.constructor).toBe(real.constructor);
    expect(dry.message.split('\n')[0]).toBe(real.message.split('\n')[0]);
    expect(dry.message).toMatch(/^V1__b\.sql:\d:\d/);
    expect(dry.message).toContain(said);
    expect(dry.message.split('\n').at(-1)).toBe(real.message.split('\n').at(-1));
  });

  test('begins where `up` would go on in a file that an earlier run was at', async () => {
    const begun = '-- no-transaction\nCREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\n';
    files.write({ 'V1__a.sql': `${begun}INSERT INTO nowhere VALUES (1);` });
    await failureOf(files.migrator().up());
    files.write({ 'V1__a.sql': `${begun}INSERT INTO a VALUES (2);\nVACUUM a;` });
    files.events.length = 0;
    expect((await files.migrator().dryRun()).scripts).toEqual([
      {
        script: 'V1__a.sql',
        tables: [{ table: 'public.a', inserted: 1, updated: 0, deleted: 0, strongestLock: 'ROW EXCLUSIVE' }],
        statements: [{ line: 5, text: 'VACUUM a', how: 'not run' }],
      },
    ]);
    expect(notesOf(files.events).join('\n')).toContain('An earlier run got as far as statement 2 (line 3)');
    // Its answer is taken away: nobody knows, so that nobody tries it.
    await engine.query('UPDATE holdfast_migration_journal SET finished_at = NULL WHERE first_statement = 2');
    expect((await files.migrator().dryRun()).scripts[0]!.statements).toEqual([
      { line: 3, text: 'INSERT INTO a VALUES (1)', how: 'not run' },
      { line: 5, text: 'VACUUM a', how: 'not run' },
    ]);
    files.write({ 'V1__a.sql': '-- no-transaction\nCREATE TABLE a (n BIGINT);' });
    expect((await failureOf(files.migrator().dryRun())).message).toContain(
      'statement 1 took effect in an earlier run, and the file has changed there since',
    );
  });
});

describe.each([
  ['PostgreSQL', usePostgres],
  ['MariaDB', () => useMariadb('mysql2')],
] as const)('a dry run on %s refuses as `up` does', (_, use) => {
  const engine = use();
  const files = useWorkspace(engine);

  test.each([
    ['an edited file', { 'V1__a.sql': 'CREATE TABLE a (n BIGINT)' }],
    ['a late version', { 'V3__c.sql': 'CREATE TABLE c (n INT)' }],
    ['an edited file with a pending one', { 'V1__a.sql': 'SELECT 1', 'V6__f.sql': 'SELECT 1' }],
  ])('%s', async (_name, change) => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V5__e.sql': 'CREATE TABLE e (n INT)' });
    await files.migrator().up();
    files.write(change);
    const dry = await failureOf(files.migrator().dryRun());
    expect(dry).toBeInstanceOf(ValidationFailedError);
    expect(dry.message).toBe((await failureOf(files.migrator().up())).message);
  });

  test('a schema that is not empty and has no history', async () => {
    await engine.query('CREATE TABLE older (n INT)');
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const dry = await failureOf(files.migrator().dryRun());
    expect(dry).toBeInstanceOf(ValidationFailedError);
    expect(dry.message).toBe((await failureOf(files.migrator().up())).message);
  });
});

describe('a dry run on MariaDB', () => {
  const engine = useMariadb('mysql2');
  const files = useWorkspace(engine);

  test('says of each statement what it would be, and runs none', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    await files.migrator().up();
    files.write({
      'V2__b.sql':
        'ALTER TABLE a ADD COLUMN m INT;\nUPDATE a SET n = 1;\nALTER TABLE a MODIFY n VARCHAR(10);\nCREATE TABLE b (n INT);',
    });
    const { scripts } = await files.migrator().dryRun();
    expect(scripts).toMatchObject([
      {
        script: 'V2__b.sql',
        tables: [],
        statements: [
          { line: 1, how: expect.stringMatching(/^INSTANT/) },
          { line: 2, how: 'row changes' },
          { line: 3, how: expect.stringMatching(/^COPY/) },
          { line: 4 },
        ],
      },
    ]);
    expect(await engine.tables()).toEqual(['a']);
    expect((await files.migrator().status()).pending).toEqual(['V2__b.sql']);
  });

  test('begins where `up` would go on in a file that an earlier run was at', async () => {
    const begun = 'CREATE TABLE a (n INT);\n';
    files.write({ 'V1__a.sql': `${begun}INSERT INTO nowhere VALUES (1);\nCREATE TABLE b (n INT);` });
    await failureOf(files.migrator().up());
    const { scripts } = await files.migrator().dryRun();
    expect(scripts).toMatchObject([{ script: 'V1__a.sql', statements: [{ line: 2 }, { line: 3 }] }]);
  });

  test('refuses a BEGIN as `up` does', async () => {
    files.write({ 'V1__a.sql': 'BEGIN;\nINSERT INTO a VALUES (1);\nCOMMIT;' });
    const dry = await failureOf(files.migrator().dryRun());
    expect(dry.message).toMatch(/^V1__a\.sql:1:1: BEGIN would end or begin.*dry run: nothing was run/s);
  });
});
