import { setTimeout as sleep } from 'node:timers/promises';
import {
  LockLostError,
  type MigrationFailedError,
  type MigrationInterruptedError,
} from '../../../src/migrations/index.js';
import type { MysqlDatabase } from '../../harness/mysql-database.js';
import { prepareGate } from './gate.js';
import { failureOf, notesOf, useMariadb, useWorkspace } from './workspace.js';

describe.each(['mysql2', 'mariadb'] as const)(
  'a small file of MariaDB by %s that is sent whole, with its rows and COMMIT',
  (driver) => {
    const engine = useMariadb(driver);
    const files = useWorkspace(engine);
    const table = (name: string): string =>
      `CREATE TABLE ${name} (n INT PRIMARY KEY);\nINSERT INTO ${name} VALUES (1);\nINSERT INTO ${name} VALUES (2);`;
    /** The first one in a run goes step by step: it asks for the tables without transactions. */
    const FIRST = { 'V1__a.sql': table('a') };

    const history = async (): Promise<unknown[]> =>
      (
        await engine.query(
          'SELECT installed_rank AS place, script, success FROM holdfast_schema_history ORDER BY 1',
        )
      ).map(({ place, script, success }) => `${String(place)} ${String(script)}${success ? '' : ' failed'}`);
    const journal = async (): Promise<unknown[]> =>
      engine.query('SELECT script, first_statement FROM holdfast_migration_journal');
    const rows = async (name: string): Promise<unknown[]> =>
      (await engine.query(`SELECT n FROM ${name} ORDER BY n`)).map(({ n }) => n);

    test('is one packet, in which the row of the journal comes from the COMMIT before it', async () => {
      files.write({
        ...FIRST,
        'V2__b.sql': table('b'),
        'V3__c.sql': table('c'),
        'V4__d.sql': table('d'),
        'V5__e.sql': `${table('e')}\nCREATE TABLE f (n INT);`,
        'V6__g.sql': 'CREATE TABLE g (n INT);\nCREATE TABLE h (n INT);',
      });
      const proxy = await engine.db.proxy();
      const held = ['b', 'c', 'd'].map((name) =>
        proxy.once(new RegExp(`(?:^|\\n)CREATE TABLE ${name} `), { action: 'hold' }),
      );
      const running = files.migrator({ url: proxy.url(engine.url) }).up();
      // The answer comes once the next one is there.
      let deliver = (): void => {};
      for (const next of held) {
        await next.fired;
        const ofLast = deliver;
        deliver = proxy.keepAnswers();
        ofLast();
        next.release();
      }
      deliver();
      const { applied } = await running;
      expect(applied.map(({ statements }) => statements)).toEqual([3, 3, 3, 3, 4, 2]);
      const packets = proxy.texts.filter((text) => /CREATE TABLE [bcd] /.test(text));
      expect(packets).toHaveLength(3);
      /** The statements, by what is looked for: J of the journal, H of the history. */
      const shape = (text: string): string =>
        text
          .split('\n;\n')
          .filter((each) => each !== 'SHOW WARNINGS')
          .map((each) => {
            const [, script] = /^INSERT INTO \S+holdfast_migration_journal[^]*'(V\d)__/.exec(each) ?? [];
            if (script !== undefined) return `J ${script}`;
            if (/holdfast_schema_history/.test(each)) return 'H';
            return each.startsWith('SET') ? 'set' : each.replace(/ \(.*|FROM .*/s, '').trim();
          })
          .filter((each, index, all) => each !== 'set' || all[index - 1] !== 'set')
          .join(', ');
      const filled = (of: string): string =>
        `CREATE TABLE ${of}, set, START TRANSACTION, INSERT INTO ${of} VALUES, set, INSERT INTO ${of} VALUES, set, H, DELETE`;
      expect(packets.map(shape)).toEqual([
        `set, START TRANSACTION, set, J V2, ${filled('b')}, COMMIT, set`,
        `set, START TRANSACTION, set, J V3, ${filled('c')}, set, J V4, COMMIT, set`,
        // What creates behind what it filled goes step by step, and writes its rows itself.
        `set, ${filled('d')}, COMMIT, set`,
      ]);
      expect(await history()).toEqual([
        '1 V1__a.sql',
        '2 V2__b.sql',
        '3 V3__c.sql',
        '4 V4__d.sql',
        '5 V5__e.sql',
        '6 V6__g.sql',
      ]);
      expect(await journal()).toEqual([]);
      expect(await engine.tables()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
      expect(await rows('c')).toEqual([1, 2]);
      const [times] = await engine.query(
        'SELECT MIN(execution_time) AS least, MAX(execution_time) AS most FROM holdfast_schema_history',
      );
      expect(times!['least']).toBeGreaterThanOrEqual(0);
      expect(times!['most']).toBeLessThan(30_000);
    });

    test.each([
      {
        what: 'a statement in its transaction',
        second: 'CREATE TABLE b (n INT PRIMARY KEY);\nINSERT INTO b VALUES (1);\nINSERT INTO b VALUES (1);',
        message: /^V2__b\.sql:3:1: [^]*Duplicate entry/,
        left: 'Its first statement took effect and stays.',
        tables: ['a', 'b'],
        corrected:
          'CREATE TABLE b (n INT PRIMARY KEY);\nINSERT INTO b VALUES (1);\nINSERT INTO b VALUES (2);',
      },
      {
        what: 'the first one',
        second: 'CREATE TABLE a (n INT);\nINSERT INTO a VALUES (7);',
        message: /^V2__b\.sql:1:1: [^]*Table 'a' already exists/,
        left: 'Nothing of it took effect: the database is as before it.',
        tables: ['a'],
        corrected: table('b'),
      },
      {
        what: 'the first one, which the server cannot read',
        second: 'CREATE TABLE b (n INT,);\nINSERT INTO b VALUES (7);',
        message: /^V2__b\.sql:1:23: [^]*syntax/,
        left: 'Nothing of it took effect: the database is as before it.',
        tables: ['a'],
        corrected: table('b'),
      },
      {
        what: 'the second one that commits by itself',
        second: 'CREATE TABLE b (n INT);\nCREATE TABLE a (n INT);\nINSERT INTO b VALUES (1);',
        message: /^V2__b\.sql:2:1: [^]*Table 'a' already exists/,
        left: 'Its first statement took effect and stays.',
        tables: ['a', 'b'],
        corrected: 'CREATE TABLE b (n INT);\nINSERT INTO b VALUES (1);\nINSERT INTO b VALUES (2);',
      },
      {
        what: 'a statement that took effect with a warning',
        second: `CREATE TABLE b (n INT, m INT DEFAULT (1 / 0), KEY (n), KEY k2 (n));\nINSERT INTO b VALUES (1, 0);\nINSERT INTO b VALUES (2, 0);`,
        message: /^V2__b\.sql:1:1: the server took it with a warning, (?:1365|1831)/,
        left: 'Its first statement took effect and stays.',
        tables: ['a', 'b'],
        corrected:
          'CREATE TABLE b (n INT, m INT DEFAULT (1 / 0), KEY (n), KEY k2 (n));\nINSERT INTO b VALUES (1, 0);\nINSERT INTO b VALUES (2, 0);',
        allowed: ['1365', '1831'],
      },
    ])('fails in its own words at $what, and what is behind it is not run', async (fails) => {
      files.write({ ...FIRST, 'V2__b.sql': fails.second, 'V3__c.sql': table('c'), 'V4__d.sql': table('d') });
      const error = await failureOf<MigrationFailedError>(files.migrator().up());
      expect(error).toMatchObject({ script: 'V2__b.sql' });
      expect(error.message).toMatch(fails.message);
      expect(error.message).toContain(fails.left);
      expect(error.message).toContain(
        'This run had applied before: V1__a.sql. Not applied: V3__c.sql, V4__d.sql.',
      );
      expect(await engine.tables()).toEqual(fails.tables);
      expect((await journal()).filter((row) => (row as { script: string }).script !== 'V2__b.sql')).toEqual(
        [],
      );
      files.write({ 'V2__b.sql': fails.corrected });
      const again = files.migrator({ allowWarnings: fails.allowed ?? [] });
      expect((await again.up()).applied).toHaveLength(3);
      expect(await rows('b')).toEqual([1, 2]);
      expect(await journal()).toEqual([]);
    });

    test.each([
      [
        'of a statement that commits by itself',
        'CREATE TABLE IF NOT EXISTS a (x INT);\nCREATE TABLE b (n INT);\nINSERT INTO b VALUES (1);\nINSERT INTO b VALUES (2);',
        /^1050$/,
        1,
      ],
      [
        'of one in its transaction',
        "CREATE TABLE b (n INT, d DATE);\nINSERT INTO b VALUES (1, NULL);\nINSERT INTO b VALUES (2, '2026-01-02 03:04:05');",
        /^(?:1265|1292)$/,
        3,
      ],
    ])('tells a note %s once, and does nothing twice', async (_, second, code, line) => {
      files.write({ ...FIRST, 'V2__b.sql': second, 'V3__c.sql': table('c') });
      expect((await files.migrator().up()).applied).toHaveLength(3);
      const told = files.events.filter((event) => event.kind === 'warning');
      expect(told).toEqual([
        {
          kind: 'warning',
          script: 'V2__b.sql',
          line,
          warning: expect.objectContaining({ code: expect.stringMatching(code) as string, level: 'note' }),
        },
      ]);
      expect(await rows('b')).toEqual([1, 2]);
      expect(await history()).toHaveLength(3);
      expect(await journal()).toEqual([]);
    });

    test('goes on in its transaction behind a note: no number is given twice', async () => {
      files.write({
        ...FIRST,
        'V2__b.sql':
          "CREATE TABLE b (id INT AUTO_INCREMENT PRIMARY KEY, d DATE);\nINSERT INTO b (d) VALUES ('2026-01-02');\nINSERT INTO b (d) VALUES ('2026-01-02 03:04:05');\nINSERT INTO b (d) VALUES ('2026-01-03');",
        'V3__c.sql': 'CREATE TABLE c (n INT);\nINSERT INTO c VALUES (3);',
      });
      expect((await files.migrator().up()).applied.map(({ statements }) => statements)).toEqual([3, 4, 2]);
      expect(await engine.query('SELECT id FROM b ORDER BY 1')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
      expect(await history()).toEqual(['1 V1__a.sql', '2 V2__b.sql', '3 V3__c.sql']);
      expect(await journal()).toEqual([]);
    });

    test('is not sent whole where a statement may be several, or asks for what the one before did', async () => {
      const several = [1, 2, 3, 4, 5, 6, 7].map((n) => `INSERT INTO b VALUES (${n})`).join(';\n');
      files.write({
        ...FIRST,
        'V2__b.sql': `CREATE TABLE b (n INT PRIMARY KEY);\nDELIMITER $$\n${several}\n$$\nINSERT INTO b VALUES (1)\n$$\n`,
        'V3__c.sql': table('c'),
      });
      const error = await failureOf<MigrationFailedError>(files.migrator().up());
      expect(error.message).toMatch(/^V2__b\.sql:11:1: [^]*Duplicate entry '1'/);
      expect(await rows('b')).toEqual([]);
      files.write({
        'V2__b.sql':
          'CREATE TABLE b (n INT PRIMARY KEY);\nINSERT INTO b VALUES (7), (8);\nINSERT INTO b VALUES (ROW_COUNT());',
      });
      expect((await files.migrator().up()).applied).toHaveLength(2);
      expect(await rows('b')).toEqual([2, 7, 8]);
    });

    test.each(['flyway', 'prisma'] as const)(
      'has its row in the history of %s, with times',
      async (format) => {
        files.write({ ...FIRST, 'V2__b.sql': table('b'), 'V3__c.sql': table('c'), 'V4__d.sql': table('d') });
        expect((await files.migrator({ history: format }).up()).applied).toHaveLength(4);
        const { entries } = await files.migrator({ history: format }).status();
        expect(entries.map(({ script, state }) => [script, state])).toEqual(
          ['V1__a.sql', 'V2__b.sql', 'V3__c.sql', 'V4__d.sql'].map((script) => [script, 'SUCCESS']),
        );
        const took =
          format === 'flyway'
            ? 'SELECT execution_time AS ms FROM flyway_schema_history'
            : 'SELECT TIMESTAMPDIFF(MICROSECOND, started_at, finished_at) / 1000 AS ms FROM _prisma_migrations';
        for (const { ms } of await engine.query(took)) {
          expect(Number(ms)).toBeGreaterThanOrEqual(0);
          expect(Number(ms)).toBeLessThan(30_000);
        }
      },
    );

    test('ends where the lock was lost in it, and nothing is written by whoever has it no more', async () => {
      files.write({
        ...FIRST,
        'V2__b.sql': table('b'),
        'V3__c.sql': 'CREATE TABLE c (n INT);\nINSERT INTO c VALUES (RELEASE_ALL_LOCKS());',
        'V4__d.sql': table('d'),
      });
      const error = await failureOf(files.migrator().up());
      expect(error).toBeInstanceOf(LockLostError);
      expect(error.message).toContain('Its first statement took effect and stays.');
      expect(await history()).toEqual(['1 V1__a.sql', '2 V2__b.sql']);
      expect(await engine.tables()).toEqual(['a', 'b', 'c']);
      expect(await rows('c')).toEqual([]);
      files.write({ 'V3__c.sql': 'CREATE TABLE c (n INT);\nINSERT INTO c VALUES (3);' });
      expect((await files.migrator().up()).applied).toHaveLength(2);
      expect(await rows('c')).toEqual([3]);
    });

    test('takes the next rank where another row has the one that was to be its own', async () => {
      files.write(FIRST);
      await files.migrator().up();
      await engine.query(
        `CREATE TRIGGER noted AFTER INSERT ON a FOR EACH ROW INSERT INTO holdfast_schema_history
          SELECT MAX(installed_rank) + 1, NULL, 'x', 'SQL', CONCAT('R__', NEW.n, '.sql'), 1, 'me', NOW(), 0, 1, NULL FROM holdfast_schema_history`,
      );
      files.write({
        'V2__b.sql': table('b'),
        'V3__c.sql': `${table('c')}\nINSERT INTO a VALUES (3);`,
        'V4__d.sql': table('d'),
        'V5__e.sql': table('e'),
      });
      expect((await files.migrator().up()).applied).toHaveLength(4);
      expect(await history()).toEqual([
        '1 V1__a.sql',
        '2 V2__b.sql',
        '3 R__3.sql',
        '4 V3__c.sql',
        '5 V4__d.sql',
        '6 V5__e.sql',
      ]);
      expect(await rows('a')).toEqual([1, 2, 3]);
      expect(await journal()).toEqual([]);
    });

    test('is the last one where the run is asked to stop, and leaves no row of the journal', async () => {
      files.write({ ...FIRST, 'V2__b.sql': table('b'), 'V3__c.sql': table('c'), 'V4__d.sql': table('d') });
      const stop = new AbortController();
      const migrator = files.migrator({
        onEvent: (event) => {
          if (event.kind === 'applied' && event.script === 'V2__b.sql') stop.abort();
        },
      });
      const error = await failureOf<MigrationInterruptedError>(migrator.up({ signal: stop.signal }));
      const applied = (await history()).length;
      expect(error.message).toContain(`Interrupted before V${applied + 1}__`);
      expect(await engine.tables()).toEqual(['a', 'b', 'c', 'd'].slice(0, applied));
      expect(await journal()).toEqual([]);
      expect((await files.migrator().up()).applied).toHaveLength(4 - applied);
      expect(notesOf(files.events)).toEqual([]);
    });

    test.each([
      ['what it creates', 'CREATE TABLE c LIKE gate', 'V3__c.sql: the connection was lost', ['b', 'gate']],
      [
        'what it fills that with',
        'CREATE TABLE c (n INT);\nINSERT INTO gate VALUES (1)',
        'Its first statement took effect and stays. The next `up` goes on after it',
        ['b', 'c', 'gate'],
      ],
    ])('is gone on with where its session is ended at %s', async (_, third, message, tables) => {
      await prepareGate(files, { third, table });
      const holder = await (engine.db as MysqlDatabase).connection();
      await holder.query('LOCK TABLES gate WRITE');
      const running = failureOf(files.migrator().up());
      const atGate =
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%gate%' AND state LIKE 'Waiting%'";
      let waiting: Record<string, unknown>[] = [];
      while (waiting.length === 0) {
        await sleep(5);
        waiting = await engine.query(atGate);
      }
      await engine.query(`KILL CONNECTION ${String(waiting[0]!['id'])}`);
      const error = await running;
      await holder.end();
      expect(error.message).toContain(message);
      expect(await engine.tables()).toEqual(tables);
      expect(await history()).toEqual(['1 V1__gate.sql', '2 V2__b.sql']);
      expect((await files.migrator().up()).applied).toHaveLength(3);
      expect(await rows('gate')).toEqual(third.includes('INSERT') ? [1] : []);
      expect(await rows('d')).toEqual([1, 2]);
      expect(await journal()).toEqual([]);
    });

    test('goes on where the row of the next one is there, and its packet never came', async () => {
      files.write({ ...FIRST, 'V2__b.sql': table('b'), 'V3__c.sql': table('c'), 'V4__d.sql': table('d') });
      const proxy = await engine.db.proxy();
      const armed = proxy.once(/CREATE TABLE c /, { action: 'cut-before' });
      const error = await failureOf(files.migrator({ url: proxy.url(engine.url) }).up());
      expect(armed.hits).toHaveLength(1);
      expect(error.message).toMatch(/^V[23]__.\.sql: the connection was lost/);
      const before = (await history()).length;
      expect((await files.migrator().up()).applied).toHaveLength(4 - before);
      expect(await rows('c')).toEqual([1, 2]);
      expect(await journal()).toEqual([]);
    });
  },
);
