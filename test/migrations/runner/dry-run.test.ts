import { failureOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

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
    expect(await engine.tables()).toEqual([]);
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
});
