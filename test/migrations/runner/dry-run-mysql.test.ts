import { useMariadb, useWorkspace } from './workspace.js';

describe('a dry run on MariaDB', () => {
  const engine = useMariadb('mysql2');
  const files = useWorkspace(engine);
  beforeEach(async () => {
    files.write({ 'V1__o.sql': 'CREATE TABLE o (id int PRIMARY KEY); INSERT INTO o VALUES (1), (2);' });
    await files.migrator().up();
    await engine.query('ANALYZE TABLE o');
  });

  test.each<[string, string[], string, boolean]>([
    [
      'a table that is there is dropped',
      ['DROP TABLE o'],
      'drops o, a table that is there, with about 2 rows',
      false,
    ],
    [
      'one that is missing is changed',
      ['ALTER TABLE nope ADD x int'],
      'the table nope does not exist: the statement would fail',
      true,
    ],
    [
      'one that is missing is dropped',
      ['DROP TABLE nope'],
      'the table nope does not exist: the statement would fail',
      true,
    ],
    [
      'one that is missing may be',
      ['DROP TABLE IF EXISTS nope'],
      'the table nope does not exist: nothing to do',
      false,
    ],
    [
      'one is created and changed',
      ['CREATE TABLE n (a int)', 'ALTER TABLE n ADD x int'],
      'its table is created by V2__a.sql:1',
      false,
    ],
    [
      'one is created that is there',
      ['CREATE TABLE o (a int)'],
      'there is such a table already: the statement would fail',
      true,
    ],
    [
      'one is dropped and changed',
      ['DROP TABLE o', 'ALTER TABLE o ADD x int'],
      'V2__a.sql:1 drops or renames its table: the statement would fail',
      true,
    ],
    [
      'one is renamed and changed',
      ['RENAME TABLE o TO p', 'ALTER TABLE p ADD x int'],
      'its table is created by V2__a.sql:1',
      false,
    ],
    [
      'a column is added and indexed',
      ['ALTER TABLE o ADD COLUMN z int', 'CREATE INDEX xx ON o (z)'],
      'depends on V2__a.sql:1, which is not run',
      false,
    ],
    ['a column is missing', ['CREATE INDEX xx ON o (z)'], 'the server refuses it', true],
  ])('%s', async (_, statements, how, refused) => {
    files.write({ 'V2__a.sql': `${statements.join(';\n')};\n` });
    const { scripts } = await files.migrator().dryRun();
    const last = scripts[0]!.statements.at(-1)!;
    expect(last.how).toContain(how);
    expect(last.refused ?? false).toBe(refused);
    expect(await engine.query('SELECT COUNT(*) AS n FROM o')).toEqual([{ n: 2 }]);
  });
});
