import { setTimeout as sleep } from 'node:timers/promises';
import { createPool } from 'mysql2/promise';
import type { MigrationFailedError, MigrationInterruptedError } from '../../../src/migrations/index.js';
import type { FaultProxy } from '../../harness/fault-proxy.js';
import type { MysqlDatabase } from '../../harness/mysql-database.js';
import { useChildProgram } from './child-program.js';
import { prepareGate } from './gate.js';
import { failureOf, notesOf, useMariadb, useWorkspace } from './workspace.js';

describe.each(['mysql2', 'mariadb'] as const)(
  'a small file of MariaDB that is sent behind the one before it, by %s',
  (driver) => {
    const engine = useMariadb(driver);
    const files = useWorkspace(engine);
    /** It waits for whoever writes the same row, so that the test says when it goes on. */
    const WAITS = 'INSERT INTO gate VALUES (1);';
    const table = (name: string): string => `CREATE TABLE ${name} (n INT);\nINSERT INTO ${name} VALUES (1);`;
    /** The statement itself: while the server reads one, what stands behind it in the packet is listed as well. */
    const atGate =
      "SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND info RLIKE '^[[:space:]]*INSERT INTO gate' AND id <> CONNECTION_ID()";

    const sent = async (proxy: FaultProxy, text: RegExp): Promise<void> => {
      while (!proxy.texts.some((each) => text.test(each))) await sleep(5);
    };

    /** Runs `work` with a closed gate. V1 is applied; V2 goes step by step, and V3 waits. */
    const closed = async (
      third: string,
      work: (proxy: FaultProxy, open: () => Promise<void>) => Promise<void>,
    ): Promise<void> => {
      await prepareGate(files, { third, table });
      const holder = await (engine.db as MysqlDatabase).connection();
      await holder.beginTransaction();
      await holder.query('INSERT INTO gate VALUES (1)');
      await work(await engine.db.proxy(), () => holder.rollback());
    };

    const scripts = async (): Promise<unknown[]> =>
      (
        await engine.query('SELECT script FROM holdfast_schema_history WHERE success ORDER BY installed_rank')
      ).map(({ script }) => script);

    test('is with the server while that runs, and told in its turn', async () => {
      await closed(`CREATE TABLE c (n INT);\n${WAITS}`, async (proxy, open) => {
        const running = files.migrator({ url: proxy.url(engine.url) }).up();
        await sent(proxy, /CREATE TABLE d /);
        while ((await engine.query(atGate)).length === 0) await sleep(5);
        expect(await engine.tables()).toEqual(['b', 'c', 'gate']);
        expect(files.events.filter(({ kind }) => kind === 'started')).toHaveLength(2);
        await open();
        expect((await running).applied).toHaveLength(4);
      });
      const told = files.events.flatMap((event) =>
        event.kind === 'started' || event.kind === 'applied' ? [`${event.kind} ${event.script}`] : [],
      );
      expect(told).toEqual(
        ['V2__b.sql', 'V3__c.sql', 'V4__d.sql', 'V5__e.sql'].flatMap((script) => [
          `started ${script}`,
          `applied ${script}`,
        ]),
      );
    });

    test('is not run where the one before it fails', async () => {
      await closed(
        `CREATE TABLE c (n INT);\n${WAITS}\nINSERT INTO ghost VALUES (1);`,
        async (proxy, open) => {
          const running = failureOf<MigrationFailedError>(
            files.migrator({ url: proxy.url(engine.url) }).up(),
          );
          await sent(proxy, /CREATE TABLE d /);
          await open();
          const error = await running;
          expect(error.message).toMatch(/^V3__c\.sql:3:1: [^]*ghost/);
          expect(error.message).toContain('Not applied: V4__d.sql, V5__e.sql.');
        },
      );
      expect(await engine.tables()).toEqual(['b', 'c', 'gate']);
      expect(await engine.query('SELECT n FROM gate')).toEqual([]);
      files.write({ 'V3__c.sql': `CREATE TABLE c (n INT);\n${WAITS}` });
      expect((await files.migrator().up()).applied).toHaveLength(3);
      expect(await engine.query('SELECT n FROM gate')).toEqual([{ n: 1 }]);
    });

    test('is brought to its end where the run is asked to stop before its turn', async () => {
      const stop = new AbortController();
      await closed(`CREATE TABLE c (n INT);\n${WAITS}`, async (proxy, open) => {
        const running = failureOf<MigrationInterruptedError>(
          files.migrator({ url: proxy.url(engine.url) }).up({ signal: stop.signal }),
        );
        await sent(proxy, /CREATE TABLE d /);
        stop.abort();
        await open();
        const { message } = await running;
        const applied = await scripts();
        expect(applied).toEqual(['V1__gate.sql', 'V2__b.sql', 'V3__c.sql', 'V4__d.sql']);
        expect(message).toMatch(/^Interrupted before V5__e\.sql/);
      });
      const { applied } = await files.migrator().up();
      expect(applied.map(({ script }) => script)).toEqual(['V5__e.sql']);
      expect(await scripts()).toHaveLength(5);
      expect(await engine.query('SELECT n FROM d')).toEqual([{ n: 1 }]);
      expect(await engine.query('SELECT 1 FROM holdfast_migration_journal')).toEqual([]);
    });

    test('is asked after where the connection is lost: nothing is run twice, or told that is not so', async () => {
      await closed(`CREATE TABLE c (n INT);\n${WAITS}`, async (proxy, open) => {
        const running = failureOf(files.migrator({ url: proxy.url(engine.url) }).up());
        await sent(proxy, /CREATE TABLE d /);
        while ((await engine.query(atGate)).length === 0) await sleep(5);
        await proxy.cut();
        await open();
        const { message } = await running;
        const applied = await scripts();
        // The server may go on with what it has got, or end where it finds nobody to answer.
        expect(message).toMatch(new RegExp(`^V${applied.length + 1}__`));
        expect(message).toContain(`This run had applied before: ${applied.slice(1).join(', ')}.`);
      });
      await files.migrator().up();
      expect(await scripts()).toHaveLength(5);
      for (const name of ['b', 'd', 'e'])
        expect(await engine.query(`SELECT n FROM ${name}`)).toEqual([{ n: 1 }]);
      expect(await engine.query('SELECT n FROM gate')).toEqual([{ n: 1 }]);
    });
  },
);

describe('a small file of MariaDB whose first row was written with the COMMIT before it, and that was never sent', () => {
  const engine = useMariadb('mysql2');
  const files = useWorkspace(engine);
  const program = useChildProgram();
  const table = (name: string): string => `CREATE TABLE ${name} (n INT);\nINSERT INTO ${name} VALUES (1);`;

  test.each([
    ['is applied', {}, ['V5__e.sql', 'V6__f.sql']],
    [
      'may be edited',
      { 'V5__e.sql': 'ALTER TABLE c ADD COLUMN m INT;\nCREATE TABLE e (n INT);' },
      ['V5__e.sql', 'V6__f.sql'],
    ],
    ['may become one transaction', { 'V5__e.sql': 'INSERT INTO c VALUES (5);' }, ['V5__e.sql', 'V6__f.sql']],
    ['may go away', { 'V5__e.sql': null }, ['V6__f.sql']],
  ] as const)('counts as not begun: it %s', async (_, change, then) => {
    await prepareGate(files, { third: table('c'), table });
    files.write({
      'V4__d.sql': 'CREATE TABLE d (n INT);\nINSERT INTO gate VALUES (1);',
      'V6__f.sql': table('f'),
    });
    const holder = await (engine.db as MysqlDatabase).connection();
    await holder.beginTransaction();
    await holder.query('INSERT INTO gate VALUES (1)');
    const proxy = await engine.db.proxy();
    const third = proxy.once(/(?:^|\n)CREATE TABLE c /, { action: 'hold' });
    const child = program.up({
      url: proxy.url(engine.url),
      driver: engine.driver,
      directories: ['.'],
      cwd: files.folder,
    });
    const atGate =
      "SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND info RLIKE '^[[:space:]]*INSERT INTO gate' AND id <> CONNECTION_ID() AND command = 'Query'";
    // V4 is sent behind V3, and V5 once V3 is answered, which the child does not hear.
    await third.fired;
    proxy.keepAnswers();
    third.release();
    while ((await engine.query(atGate)).length === 0) await sleep(5);
    child.kill();
    await child.ended;
    await holder.rollback();
    const journal = 'SELECT script FROM holdfast_migration_journal';
    while ((await engine.query(`${journal} WHERE script = 'V5__e.sql'`)).length === 0) await sleep(5);
    files.write(change);
    const { entries, pending } = await files.migrator().status();
    expect(entries.map(({ state }) => state)).not.toContain('FAILED');
    expect(pending).toEqual(then);
    expect((await files.migrator().validate()).problems).toEqual([]);
    expect((await files.migrator().up()).applied.map(({ script }) => script)).toEqual(then);
    expect(await engine.query(journal)).toEqual([]);
    expect(notesOf(files.events)).toEqual([]);
  });
});

describe('a small file of MariaDB on a compressed connection of mysql2, whose packets are numbered across commands', () => {
  const engine = useMariadb('mysql2');
  const files = useWorkspace(engine);

  test('is not written before its turn', async () => {
    // mysql2 itself counts packets otherwise than the server does, where a compressed answer has several results.
    const said = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const pool = createPool({
      uri: engine.url,
      multipleStatements: true,
      compress: true,
      connectionLimit: 1,
    });
    try {
      for (const n of [1, 2, 3, 4, 5])
        files.write({ [`V${n}__a.sql`]: `CREATE TABLE a${n} (n INT);\nINSERT INTO a${n} VALUES (${n});` });
      expect((await files.migrator({ pool }).up()).applied).toHaveLength(5);
    } finally {
      await pool.end();
      said.mockRestore();
    }
    expect(await engine.query('SELECT n FROM a5')).toEqual([{ n: 5 }]);
  });
});
