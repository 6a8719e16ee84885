import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MigrationFailedError, Migrator } from '../../../src/migrations/index.js';
import { failureOf, notesOf, useMariadb, useWorkspace } from './workspace.js';

const dump = readFileSync(join(__dirname, 'mysql-dump.sql'), 'utf8');

describe.each(['mysql2', 'mariadb'] as const)('what mariadb-dump wrote, by %s', (driver) => {
  const engine = useMariadb(driver);
  const files = useWorkspace(engine);
  // That the server's event scheduler is off.
  const migrator = (): Migrator => files.migrator({ allowWarnings: [1105] });
  const cleanUp = async (): Promise<void> => {
    await engine.query('DROP VIEW IF EXISTS order_notes');
    await engine.query('DROP FUNCTION IF EXISTS orders_above');
    await engine.query('DROP EVENT IF EXISTS tidy');
  };
  beforeEach(cleanUp);
  afterEach(cleanUp);

  const expectAll = async (): Promise<void> => {
    await engine.query('INSERT INTO orders (id) VALUES (7)');
    expect(await engine.query('SELECT note FROM order_notes ORDER BY note')).toEqual(
      ['first; with a stop', "it's the second", 'none'].map((note) => ({ note })),
    );
    expect(await engine.query('SELECT CAST(orders_above(1) AS CHAR) AS found')).toEqual([{ found: '2' }]);
    expect(
      await engine.query(
        'SELECT event_name AS name FROM information_schema.events WHERE event_schema = DATABASE()',
      ),
    ).toEqual([{ name: 'tidy' }]);
  };

  test('is applied: tables, data, triggers, events, routines, views', async () => {
    files.write({
      'V1__dump.sql': dump,
      'V2__after.sql': 'INSERT INTO orders VALUES (5, NULL); DELETE FROM orders WHERE id = 5',
    });
    await migrator().up();
    expect(notesOf(files.events).join('\n')).toMatch(
      /^LOCK TABLES and UNLOCK TABLES \(line 37 and 1 more\) are left out/m,
    );
    await expectAll();
  });

  test('is applied where it switches autocommit off, as newer versions of mariadb-dump do', async () => {
    const byHand = dump
      .replace(/^(?=\/\*!40101 SET )/m, 'SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, @@AUTOCOMMIT=0;\n')
      .replaceAll(/^(LOCK TABLES .*)$/gm, '$1\nset autocommit=0;')
      .replaceAll(/^(UNLOCK TABLES;)$/gm, '$1\ncommit;');
    expect(byHand.match(/autocommit=0|^commit;$/gim)).toHaveLength(3);
    files.write({ 'V1__dump.sql': `${byHand}SET AUTOCOMMIT=@OLD_AUTOCOMMIT;\n` });
    await migrator().up();
    expect(notesOf(files.events).join('\n')).toMatch(
      /^SET autocommit and its COMMIT \(line \d+ and 3 more\) are left out/m,
    );
    await expectAll();
  });

  test('of data alone that is committed by hand is one transaction all the same', async () => {
    files.write({
      'V0__a.sql': 'CREATE TABLE a (n INT)',
      'V1__data.sql':
        'SET autocommit=0;\nINSERT INTO a VALUES (1);\nCOMMIT;\nINSERT INTO nowhere VALUES (2);\nCOMMIT;\nSET autocommit=1;',
    });
    const error = await failureOf<MigrationFailedError>(migrator().up());
    expect(error).toMatchObject({ effect: 'rolled back', position: { line: 4 } });
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
  });

  test('a COMMIT without it is refused, before anything is sent', async () => {
    files.write({
      'V1__a.sql':
        'CREATE TABLE a (n INT);\nSET autocommit=0;\nINSERT INTO a VALUES (1);\nSET autocommit=1;\nCOMMIT;',
    });
    const error = await failureOf<MigrationFailedError>(migrator().up());
    expect(error).toMatchObject({ effect: 'rolled back', position: { line: 5 } });
    expect(error.message).toContain('Nothing of it was sent.');
    expect(await engine.tables()).not.toContain('a');
  });

  test('is applied where its reader has switched autocommit off around it, as for a fast restore', async () => {
    files.write({
      'V1__a.sql':
        'SET autocommit=0;\nSET unique_checks=0;\nSET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, @@AUTOCOMMIT=0;\n' +
        'CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\ncommit;\nSET AUTOCOMMIT=@OLD_AUTOCOMMIT;\nCOMMIT;',
    });
    await migrator().up();
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }]);
  });

  test.each([
    ['SET autocommit=0;\nCREATE TABLE a (n INT);\nCOMMIT;', 'SET autocommit does not group'],
    ['CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\nCOMMIT;', 'COMMIT stands outside'],
    ['CREATE TABLE a (n INT);\nBEGIN;\nCOMMIT;\nROLLBACK;', 'ROLLBACK stands outside'],
  ])('with `-- no-transaction` %j is refused, before anything is sent', async (sql, said) => {
    files.write({ 'V1__a.sql': `-- no-transaction\n${sql}` });
    const error = await failureOf<MigrationFailedError>(migrator().up());
    expect(error).toMatchObject({ effect: 'rolled back' });
    expect(error.message).toContain(said);
    expect(error.message).toContain('Nothing of it was sent.');
    expect(await engine.tables()).not.toContain('a');
  });

  test('goes on where it failed', async () => {
    files.write({ 'V1__dump.sql': dump.replace('CREATE FUNCTION', 'CREATE FUNKTION') });
    expect(await failureOf<MigrationFailedError>(migrator().up())).toMatchObject({ effect: 'partial' });
    files.write({ 'V1__dump.sql': dump });
    await migrator().up();
    await expectAll();
  });

  test.each([
    ['with its tables', 'CREATE TABLE t (id int PRIMARY KEY);', 'partial'],
    ['of data alone', '', 'rolled back'],
  ])('fails at the line that is wrong: %s', async (_, create, effect) => {
    if (create === '') await engine.query('CREATE TABLE t (id int PRIMARY KEY)');
    files.write({
      'V1__d.sql': `/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
${create}
INSERT INTO t VALUES (1),(2);
INSERT INTO t VALUES (3);
INSERT INTO t VALUES (2);
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;`,
    });
    if (create === '') await migrator().baseline({ version: '0' });
    const error = await failureOf<MigrationFailedError>(migrator().up());
    expect(error).toMatchObject({ effect, position: { line: 6, column: 1 } });
    expect(error.message).toMatch(/^V1__d\.sql:6:1: .*INSERT INTO t VALUES \(2\)$/ms);
  });

  test('of data alone is one transaction', async () => {
    files.write({
      'V0__a.sql': 'CREATE TABLE a (n INT)',
      'V1__data.sql':
        'LOCK TABLES a WRITE;\nINSERT INTO a VALUES (1);\nUNLOCK TABLES;\nINSERT INTO nowhere VALUES (1);',
    });
    expect(await failureOf<MigrationFailedError>(migrator().up())).toMatchObject({
      effect: 'rolled back',
    });
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
  });
});
