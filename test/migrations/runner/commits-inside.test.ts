import { failureOf, useMariadb, useWorkspace } from './workspace.js';

describe.each(['mysql2', 'mariadb'] as const)('what commits in the middle of a file, by %s', (driver) => {
  const engine = useMariadb(driver);
  const files = useWorkspace(engine);
  beforeEach(() => engine.query('DROP PROCEDURE IF EXISTS p'));

  test('is found out also where a procedure may write to a table that no ROLLBACK reaches', async () => {
    const head =
      'CREATE TABLE m (n INT) ENGINE=MyISAM;\nCREATE TABLE a (n INT);\nDELIMITER //\nCREATE PROCEDURE p() BEGIN INSERT INTO m VALUES (1); INSERT INTO a VALUES (50); COMMIT; START TRANSACTION; END//\nDELIMITER ;\nCALL p();\n';
    files.write({ 'V1__a.sql': `${head}INSERT INTO a VALUES (2);\nINSERT INTO nowhere VALUES (3);` });
    const error = await failureOf(files.migrator().up());
    expect(error).toMatchObject({ effect: 'partial' });
    expect(error.message).toMatch(/^V1__a\.sql:6:1: a statement committed the transaction that it ran in/);

    files.write({ 'V1__a.sql': `-- no-transaction\n${head}INSERT INTO a VALUES (2);` });
    await files.migrator().up();
    expect((await engine.query('SELECT n FROM a ORDER BY n')).map(({ n }) => n)).toEqual([2, 50]);
    expect(await engine.query('SELECT n FROM m')).toEqual([{ n: 1 }]);
  });

  test.each([
    ['that commits', 'INSERT INTO a VALUES (50); COMMIT;'],
    ['that commits and goes on', 'INSERT INTO a VALUES (50); COMMIT; START TRANSACTION;'],
    ['that commits with autocommit off', 'SET autocommit=0; INSERT INTO a VALUES (50); COMMIT;'],
  ])('a procedure %s is found out, and nothing is done twice', async (_, body) => {
    const head = `CREATE TABLE a (n INT);\nDELIMITER //\nCREATE PROCEDURE p() BEGIN ${body} END//\nDELIMITER ;\nINSERT INTO a VALUES (1);\nCALL p();\n`;
    files.write({ 'V1__a.sql': `${head}INSERT INTO a VALUES (2);\nINSERT INTO nowhere VALUES (3);` });
    const error = await failureOf(files.migrator().up());
    expect(error).toMatchObject({ effect: 'partial' });
    expect(error.message).toMatch(/^V1__a\.sql:6:1: a statement committed the transaction that it ran in/);
    expect(error.message).toContain('`-- no-transaction`');

    files.write({ 'V1__a.sql': `-- no-transaction\n${head}INSERT INTO a VALUES (2);` });
    await files.migrator().up();
    expect((await engine.query('SELECT n FROM a ORDER BY n')).map(({ n }) => n)).toEqual([1, 2, 50]);
  });

  test.each([
    [
      'that commits',
      'INSERT INTO a VALUES (50); COMMIT;',
      'a statement committed the transaction that it ran in',
    ],
    [
      'that commits and goes on',
      'INSERT INTO a VALUES (50); COMMIT; START TRANSACTION;',
      'a statement committed the transaction that it ran in',
    ],
    [
      'that commits and fails',
      'INSERT INTO a VALUES (50); COMMIT; START TRANSACTION; INSERT INTO nowhere VALUES (1);',
      'nowhere',
    ],
  ])('a procedure %s, in a file that one transaction holds, is found out at once', async (_, body, said) => {
    files.write({
      'V1__a.sql': `CREATE TABLE a (n INT);\nDELIMITER //\nCREATE PROCEDURE p() BEGIN ${body} END//\n`,
      'V2__b.sql': 'INSERT INTO a VALUES (1);\nCALL p();\nINSERT INTO a VALUES (2);',
    });
    const error = await failureOf(files.migrator().up());
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'partial' });
    expect(error.message).toMatch(/^V2__b\.sql:2:1: /);
    expect(error.message).toContain(said);
    expect((await engine.query('SELECT n FROM a ORDER BY n')).map(({ n }) => n)).toEqual([1, 50]);
  });

  test('a procedure that fails after it has committed stays in the way', async () => {
    files.write({
      'V1__a.sql':
        'CREATE TABLE a (n INT);\nDELIMITER //\nCREATE PROCEDURE p() BEGIN INSERT INTO a VALUES (50); COMMIT; INSERT INTO nowhere VALUES (1); END//\nDELIMITER ;\nCALL p();',
    });
    const error = await failureOf(files.migrator().up());
    expect(error).toMatchObject({ effect: 'partial' });
    expect(error.message).toMatch(/^V1__a\.sql:5:1: .*nowhere/);
    await failureOf(files.migrator().up());
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 50 }]);
  });

  test('a procedure that commits nothing may stand among the others', async () => {
    files.write({
      'V1__a.sql':
        'CREATE TABLE a (n INT);\nCREATE PROCEDURE p() INSERT INTO a VALUES (50);\nINSERT INTO a VALUES (1);\nCALL p();\nINSERT INTO a VALUES (2);',
    });
    await files.migrator().up();
    expect((await engine.query('SELECT n FROM a ORDER BY n')).map(({ n }) => n)).toEqual([1, 2, 50]);
  });
});
