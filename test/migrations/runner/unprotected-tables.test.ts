import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationFailedError } from '../../../src/migrations/index.js';
import { type MysqlDatabase, useMysqlDatabase } from '../../harness/mysql-database.js';
import { useChildProgram } from './child-program.js';
import { type Engine, failureOf, useMariadb, useWorkspace } from './workspace.js';

/** The rows in the order that they were written in. */
const rowsOf = async (engine: Engine): Promise<unknown[]> =>
  (await engine.query('SELECT id FROM m')).map(({ id }) => id);

const goesOnAfter = (statements: string): string =>
  `${statements} The next \`up\` goes on after ${statements.startsWith('Its first') ? 'it' : 'them'}`;

describe.each(['mysql2', 'mariadb'] as const)('a table that no ROLLBACK reaches, by %s', (driver) => {
  const engine = useMariadb(driver);
  const files = useWorkspace(engine);
  const program = useChildProgram();
  const elsewhere = useMysqlDatabase([]);

  const fails = (url = engine.url): Promise<MigrationFailedError> => failureOf(files.migrator({ url }).up());

  test.each(['MyISAM', 'Aria'])('keeps rows of %s, and none is written twice', async (name) => {
    const begun = `CREATE TABLE m (id INT) ENGINE=${name};\nINSERT INTO m VALUES (1);\nINSERT INTO m VALUES (2);\n`;
    files.write({ 'V1__m.sql': `${begun}INSERT INTO m SELECT nix;` });
    const error = await fails();
    expect(error).toMatchObject({ effect: 'partial', position: { line: 4 } });
    expect(error.message).toContain(goesOnAfter('Its statements 1 to 3 took effect and stay.'));
    files.write({ 'V1__m.sql': `${begun}INSERT INTO m SELECT 3;` });
    await files.migrator().up();
    expect(await rowsOf(engine)).toEqual([1, 2, 3]);
  });

  test.each([
    ['by the default of the session', 'SET default_storage_engine = MyISAM;\nCREATE TABLE m (id INT);'],
    ['by ALTER TABLE', 'CREATE TABLE m (id INT);\nALTER TABLE m ENGINE MyISAM;'],
    [
      'behind a trigger',
      'CREATE TABLE m (id INT) ENGINE=MyISAM;\nCREATE TABLE b (id INT);\nCREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW INSERT INTO m VALUES (NEW.id);',
    ],
  ])('is found %s, after an earlier file that wrote to InnoDB', async (_, ddl) => {
    const into = ddl.includes('TRIGGER') ? 'b' : 'm';
    const begun = `${ddl}\nINSERT INTO ${into} VALUES (1);\n`;
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);',
      'V2__m.sql': `${begun}INSERT INTO ${into} SELECT nix;`,
    });
    await fails();
    files.write({ 'V2__m.sql': `${begun}INSERT INTO ${into} SELECT 2;` });
    await files.migrator().up();
    expect(await rowsOf(engine)).toEqual([1, 2]);
  });

  test('is looked for beside a table that somebody renames just now, whose warning no statement is blamed for', async () => {
    const db = engine.db as MysqlDatabase;
    await files.migrator().baseline({ version: '0' });
    for (const name of ['old_1', 'old_2']) await engine.query(`CREATE TABLE ${name} (n INT)`);
    const [reader, other] = [await db.connection(), await db.connection()];
    await reader.query('START TRANSACTION');
    await reader.query('SELECT * FROM old_2');
    // It has the first one, and waits for the second.
    const renaming = other.query('RENAME TABLE old_1 TO new_1, old_2 TO new_2');
    const waiting = `SELECT id FROM information_schema.processlist WHERE id = ${other.threadId} AND state LIKE 'Waiting for table metadata lock'`;
    while ((await engine.query(waiting)).length === 0) continue;
    try {
      files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT);\nSELECT 1;\nINSERT INTO a VALUES (1);' });
      expect((await files.migrator().up()).applied).toHaveLength(1);
    } finally {
      await reader.query('COMMIT');
      await renaming;
    }
  });

  test('begins a file that goes on with DDL: it is said what stays, and the next run goes on', async () => {
    const second = (what: string): string =>
      `INSERT INTO m VALUES (1);\nINSERT INTO m SELECT ${what};\nCREATE TABLE b (id INT);`;
    files.write({ 'V1__m.sql': 'CREATE TABLE m (id INT) ENGINE=Aria;', 'V2__b.sql': second('nix') });
    const error = await fails();
    expect(error.message).toContain(goesOnAfter('Its first statement took effect and stays.'));
    files.write({ 'V2__b.sql': second('2') });
    await files.migrator().up();
    expect(await rowsOf(engine)).toEqual([1, 2]);
  });

  test('keeps what a statement wrote before it failed: every `up` stops until that is settled', async () => {
    const begun = 'CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM;\n';
    files.write({ 'V1__m.sql': `${begun}INSERT INTO m VALUES (1), (2), (2), (3);` });
    const error = await fails();
    expect(error).toMatchObject({ effect: 'partial' });
    expect(error.message).toContain(
      'keep what was written to them from statement 2 (line 2) on: every `up` stops there until that is settled.',
    );
    const again = await fails();
    expect(again.message).toContain('or it failed half-way');
    expect(await rowsOf(engine)).toEqual([1, 2]);
    const settle = /(UPDATE .*?finished_at = started_at .*?);/.exec(again.message)![1]!;
    await engine.query(settle);
    files.write({
      'V1__m.sql': `${begun}INSERT INTO m VALUES (1), (2), (2), (3);\nINSERT INTO m VALUES (3);`,
    });
    await files.migrator().up();
    expect(await rowsOf(engine)).toEqual([1, 2, 3]);
  });

  test("keeps what was written inside of the file's own BEGIN, and the next run refuses", async () => {
    files.write({
      'V1__m.sql':
        '-- no-transaction\nCREATE TABLE m (id INT) ENGINE=MyISAM;\nBEGIN;\nINSERT INTO m VALUES (1);\nINSERT INTO m SELECT nix;\nCOMMIT;',
    });
    const error = await fails();
    expect(error.message).toContain('keep what was written to them from statement 2 (line 3) on');
    expect(error.message).toContain('run `repair`');
    await fails();
    expect(await rowsOf(engine)).toEqual([1]);
  });

  test('is no temporary table, which ends with its session', async () => {
    const text = (what: string): string =>
      `CREATE TEMPORARY TABLE t ENGINE=MEMORY AS SELECT 1 AS id;\nINSERT INTO t VALUES (2);\nCREATE TEMPORARY TABLE u SELECT ${what};\nCREATE TABLE m AS SELECT id FROM t;`;
    files.write({ 'V1__m.sql': text('nix') });
    expect(await fails()).toMatchObject({ effect: 'rolled back' });
    files.write({ 'V1__m.sql': text('1') });
    await files.migrator().up();
    expect(await rowsOf(engine)).toEqual([1, 2]);
  });

  test('keeps what was written with a warning', async () => {
    const begun = 'CREATE TABLE m (id INT) ENGINE=MyISAM;\nINSERT INTO m VALUES (1);\n';
    files.write({ 'V1__m.sql': `${begun}INSERT IGNORE INTO m VALUES ('2x');\nINSERT INTO m VALUES (3);` });
    expect((await fails()).message).toContain('Its statements 1 to 3 took effect and stay.');
    expect((await fails()).message).toContain('took effect in an earlier run with a warning');
    await files.migrator({ allowWarnings: [1265] }).up();
    expect(await rowsOf(engine)).toEqual([1, 2, 3]);
  });

  test.each(['cut-before', 'cut-after'] as const)(
    'and a connection that is lost at one of them (%s): the next run refuses until it is settled',
    async (action) => {
      files.write({
        'V1__m.sql':
          'CREATE TABLE m (id INT) ENGINE=MyISAM;\nINSERT INTO m VALUES (1);\nINSERT INTO m VALUES (2);\nINSERT INTO m VALUES (3);',
      });
      const proxy = await engine.db.proxy();
      proxy.arm(/(?:^|\n)INSERT INTO m VALUES \(2\)/, { action }, { times: 1 });
      expect(await fails(proxy.url(engine.url))).toMatchObject({ effect: 'unknown', position: { line: 3 } });
      const isThere = action === 'cut-after';
      // MyISAM shows a row to others a moment after it has answered.
      while (isThere && (await rowsOf(engine)).length < 2) await sleep(5);
      expect(await rowsOf(engine)).toEqual(isThere ? [1, 2] : [1]);
      const { message } = await fails();
      expect(message).toContain('statement 3 was sent by an earlier run, and its answer never came');
      await engine.query((isThere ? /(UPDATE .*?);/ : /(DELETE .*?);/).exec(message)![1]!);
      await files.migrator().up();
      expect(await rowsOf(engine)).toEqual([1, 2, 3]);
    },
  );

  test('and kill -9 in a statement behind it', async () => {
    const text = (last: string): string =>
      `CREATE TABLE m (id INT) ENGINE=MyISAM;\nINSERT INTO m VALUES (1);\nINSERT INTO m VALUES (2);\n${last};\nINSERT INTO m VALUES (3);`;
    files.write({ 'V1__m.sql': text('DO SLEEP(600)') });
    const child = program.up({ url: engine.url, driver, directories: ['.'], cwd: files.folder });
    const asleep =
      "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)%' AND id <> CONNECTION_ID() AND db = DATABASE()";
    let found: Record<string, unknown>[] = [];
    while ((found = await engine.query(asleep)).length === 0) await sleep(20);
    child.kill();
    await child.ended;
    await engine.query(`KILL ${String(found[0]!['id'])}`);
    files.write({ 'V1__m.sql': text('DO SLEEP(0)') });
    await files.migrator().up();
    expect(await rowsOf(engine)).toEqual([1, 2, 3]);
  });

  test.each([
    ['by a file that only makes it', 'CREATE TABLE m (id INT) ENGINE=MyISAM;'],
    ['by a file that makes it like another', 'CREATE TABLE m LIKE OTHER.m;'],
    ['by a file that keeps its versions', 'CREATE TABLE m (id INT) ENGINE=MyISAM WITH SYSTEM VERSIONING;'],
  ])('is known to a later file of the run where it is made %s', async (_, ddl) => {
    await elsewhere.query('CREATE TABLE IF NOT EXISTS m (id INT) ENGINE=MyISAM');
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);',
      'V2__m.sql': ddl.replace('OTHER', databaseOf(elsewhere.url)),
      'V3__z.sql': 'CREATE TABLE z (n INT);\nINSERT INTO m (id) VALUES (1);\nINSERT INTO m (id) VALUES (2);',
    });
    const proxy = await engine.db.proxy();
    proxy.arm(/(?:^|\n)INSERT INTO m \(id\) VALUES \(2\)/, { action: 'cut-after' }, { times: 1 });
    expect(await fails(proxy.url(engine.url))).toMatchObject({ effect: 'unknown' });
    while ((await rowsOf(engine)).length < 2) await sleep(5);
    const { message } = await fails();
    expect(message).toContain('was sent by an earlier run, and its answer never came');
    await engine.query(/(UPDATE .*?);/.exec(message)![1]!);
    await files.migrator().up();
    expect(await rowsOf(engine)).toEqual([1, 2]);
  });

  test('is asked for once in a run where there is none', async () => {
    for (const n of [1, 2, 3])
      files.write({
        [`V${n}__a.sql`]: `CREATE TABLE a${n} (n INT) ENGINE=InnoDB;\nINSERT INTO a${n} VALUES (1);\nINSERT INTO a${n} VALUES (2);`,
      });
    const proxy = await engine.db.proxy();
    await files.migrator({ url: proxy.url(engine.url) }).up();
    const asked = proxy.texts.filter((text) => text.includes('information_schema.engines'));
    // For the schemas, and for the tables of the session's own.
    expect(asked).toHaveLength(2);
    expect(asked[1]).toContain(`table_schema = '${databaseOf(engine.url)}'`);
  });

  describe('of another schema', () => {
    const [other, third] = [useMysqlDatabase([]), useMysqlDatabase([])];
    const named = (db: MysqlDatabase): string => `\`${databaseOf(db.url)}\``;
    /** With what stands for the two schemas replaced. */
    const of = (text: string): string =>
      text.replaceAll('OTHER', named(other)).replaceAll('THIRD', named(third));
    beforeEach(async () => {
      await other.query('DROP TABLE IF EXISTS m');
      await other.query('CREATE TABLE m (id INT) ENGINE=MyISAM');
    });
    afterEach(async () => {
      await engine.query('DROP VIEW IF EXISTS v');
      await engine.query('DROP PROCEDURE IF EXISTS p');
      await third.query('DROP VIEW IF EXISTS w');
    });

    const onTable = 'CREATE TABLE b (id INT)';
    const trigger = 'CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW INSERT INTO OTHER.m VALUES (NEW.id)';
    const view = 'CREATE VIEW v AS SELECT id FROM OTHER.m';
    const dynamic =
      "CREATE PROCEDURE p(n INT) EXECUTE IMMEDIATE CONCAT('INSERT INTO `', REVERSE('REVERSED'), '`.m VALUES (', n, ')')";
    type Writes = (id: number) => string;
    const called: Writes = (id) => `CALL p(${id})`;
    const into =
      (table: string): Writes =>
      (id) =>
        `INSERT INTO ${table} VALUES (${id})`;
    test.each<[string, { there?: string[]; file?: string; writes: Writes }]>([
      ['by its name', { writes: into('OTHER.m') }],
      ['by USE', { file: 'USE OTHER;', writes: into('m') }],
      ['by a view that is there', { there: [view], writes: into('v') }],
      ['by a view of the file', { file: `${view};`, writes: into('v') }],
      ['by a trigger that is there', { there: [onTable, trigger], writes: into('b') }],
      ['by a trigger of the file', { file: `${onTable};\n${trigger};`, writes: into('b') }],
      [
        'by a view of a view of a third schema',
        {
          there: ['CREATE VIEW THIRD.w AS SELECT id FROM OTHER.m', 'CREATE VIEW v AS SELECT id FROM THIRD.w'],
          writes: into('v'),
        },
      ],
      [
        'by a procedure that is there',
        { there: ['CREATE PROCEDURE p(n INT) INSERT INTO OTHER.m VALUES (n)'], writes: called },
      ],
      ['by a procedure that puts its statement together', { there: [dynamic], writes: called }],
    ])('is found %s: a lost connection makes no row twice', async (_, { there, file, writes }) => {
      await files.migrator().baseline({ version: '0' });
      const reversed = databaseOf(other.url).split('').reverse().join('');
      for (const each of there ?? []) await engine.query(of(each).replace('REVERSED', reversed));
      files.write({
        'V1__a.sql': 'CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);',
        'V2__m.sql': of(`CREATE TABLE z (n INT);\n${file ?? ''}\n${writes(1)};\n${writes(2)};`),
      });
      const proxy = await engine.db.proxy();
      const rows = async (): Promise<unknown> => (await other.query('SELECT id FROM m')).map(({ id }) => id);
      const second = of(writes(2)).replace(/[.()`]/g, '\\$&');
      proxy.arm(new RegExp(`(?:^|\\n)${second}`), { action: 'cut-after' }, { times: 1 });
      expect(await fails(proxy.url(engine.url))).toMatchObject({ effect: 'unknown' });
      while (((await rows()) as unknown[]).length < 2) await sleep(5);
      const { message } = await fails();
      expect(message).toContain('was sent by an earlier run, and its answer never came');
      await engine.query(/(UPDATE .*?);/.exec(message)![1]!);
      await files.migrator().up();
      expect(await rows()).toEqual([1, 2]);
    });

    test('is asked for once, however often its schema is named', async () => {
      await third.query('CREATE TABLE IF NOT EXISTS i (id INT)');
      await other.query('DROP TABLE m');
      await other.query('CREATE TABLE m (id INT)');
      const writes = [1, 2, 3].map(
        (n) => `INSERT INTO OTHER.m VALUES (${n});\nINSERT INTO THIRD.i VALUES (${n});`,
      );
      files.write({
        'V1__a.sql': of(`CREATE TABLE a (n INT);\n${writes.join('\n')}\nCREATE TABLE b (n INT);`),
      });
      const proxy = await engine.db.proxy();
      await files.migrator({ url: proxy.url(engine.url) }).up();
      const asked = proxy.texts.filter((text) => text.includes("table_type IN ('BASE TABLE'"));
      expect(asked).toHaveLength(3);
    });

    test('is not looked for where nothing leads there, however many tables it has', async () => {
      await other.query('CREATE VIEW w AS SELECT id FROM m');
      files.write({ 'V1__a.sql': 'CREATE TABLE a (x FLOAT);\nINSERT INTO a VALUES (1.5);' });
      const proxy = await engine.db.proxy();
      await files.migrator({ url: proxy.url(engine.url) }).up();
      expect(proxy.texts.some((text) => text.includes(databaseOf(other.url)))).toBe(false);
      await other.query('DROP VIEW w');
    });
  });
});

function databaseOf(url: string): string {
  return new URL(url).pathname.slice(1);
}
