import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationFailedError, MigrationInterruptedError } from '../../../src/migrations/index.js';
import { ManualClock } from '../../../src/testing/index.js';
import type { TestDatabase } from '../../harness/database.js';
import type { FaultProxy } from '../../harness/fault-proxy.js';
import { failureOf, notesOf, usePostgres, useWorkspace } from './workspace.js';

describe('a small file that is sent while the one before it runs, on PostgreSQL', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);
  const table = (name: string): string => `CREATE TABLE ${name} (n INT);\nINSERT INTO ${name} VALUES (1);`;
  /** It waits for whoever has the lock, so that the test says when it goes on. */
  const GATE = 42;
  const atGate =
    "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()";
  const waits = `SELECT pg_advisory_xact_lock(${GATE});`;

  /** Whether the next file was sent while the gate was closed. */
  const sent = async (proxy: FaultProxy, text: RegExp): Promise<void> => {
    while (!proxy.statements.some((each) => text.test(each.text))) await sleep(5);
  };

  /** Runs `up` through a proxy, with a closed gate that `work` opens. */
  const closed = async (work: (proxy: FaultProxy, open: () => Promise<void>) => Promise<void>) => {
    const proxy = await engine.db.proxy();
    const holder = await (engine.db as TestDatabase).client();
    await holder.query(`SELECT pg_advisory_lock(${GATE})`);
    const open = async (): Promise<void> => {
      await holder.query(`SELECT pg_advisory_unlock(${GATE})`);
    };
    await work(proxy, open);
  };

  const scripts = async (): Promise<unknown[]> =>
    (
      await engine.query(
        'SELECT script, success, installed_rank AS rank FROM holdfast_schema_history ORDER BY 3',
      )
    ).map(({ script, success, rank }) => (success ? `${String(rank)} ${String(script)}` : 'failed'));

  test('is applied behind it, with its own row, and told in its turn', async () => {
    files.write({ 'V1__a.sql': `${waits}\n${table('a')}`, 'V2__b.sql': table('b'), 'V3__c.sql': table('c') });
    await closed(async (proxy, open) => {
      const running = files.migrator({ url: proxy.url(engine.url) }).up();
      await sent(proxy, /CREATE TABLE b/);
      expect(await engine.tables()).toEqual([]);
      expect(files.events.filter(({ kind }) => kind === 'started')).toHaveLength(1);
      await open();
      expect((await running).applied).toMatchObject([
        { script: 'V1__a.sql', statements: 3 },
        { script: 'V2__b.sql', statements: 2 },
        { script: 'V3__c.sql', statements: 2 },
      ]);
    });
    expect(await scripts()).toEqual(['1 V1__a.sql', '2 V2__b.sql', '3 V3__c.sql']);
    const told = files.events.flatMap((event) =>
      event.kind === 'started' || event.kind === 'applied' ? [`${event.kind} ${event.script}`] : [],
    );
    expect(told).toEqual(
      ['V1__a.sql', 'V2__b.sql', 'V3__c.sql'].flatMap((script) => [`started ${script}`, `applied ${script}`]),
    );
  });

  test.each([
    ['a statement of it fails', `${waits}\nSELECT 1 / 0;`, /division by zero/],
    [
      'its COMMIT is refused',
      `${waits}\nCREATE TABLE p (id INT PRIMARY KEY);
       CREATE TABLE q (id INT REFERENCES p DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO q VALUES (7);`,
      /violates foreign key constraint/,
    ],
    ['the server cannot read it', `${waits}\nSELEC 1;`, /syntax error/],
  ])('is not run where %s', async (_, first, message) => {
    await engine.query('CREATE SEQUENCE witness');
    files.write({ 'V1__a.sql': first, 'V2__b.sql': `SELECT nextval('witness');\n${table('b')}` });
    await files.migrator().baseline({ version: '0' });
    await closed(async (proxy, open) => {
      const atFirst = proxy.once(/pg_advisory_xact_lock/, { action: 'hold' });
      const running = failureOf<MigrationFailedError>(files.migrator({ url: proxy.url(engine.url) }).up());
      await atFirst.fired;
      // What cannot be read fails before it waits.
      const deliver = proxy.keepAnswers();
      atFirst.release();
      await sent(proxy, /nextval/);
      deliver();
      await open();
      const error = await running;
      expect(error).toMatchObject({ script: 'V1__a.sql', effect: 'rolled back' });
      expect(error.message).toMatch(message);
      expect(error.message).toContain('Not applied: V2__b.sql.');
    });
    expect(await engine.query('SELECT is_called FROM witness')).toEqual([{ is_called: false }]);
    expect(await engine.tables()).toEqual([]);
    expect(await scripts()).toEqual(['1 << holdfast baseline >>']);
    files.write({ 'V1__a.sql': table('a') });
    const { applied } = await files.migrator().up();
    expect(applied.map(({ script }) => script)).toEqual(['V1__a.sql', 'V2__b.sql']);
    expect(await engine.query('SELECT last_value, is_called FROM witness')).toEqual([
      { last_value: '1', is_called: true },
    ]);
  });

  test('fails in its own words and place, and leaves what was before it', async () => {
    files.write({
      'V1__a.sql': `${waits}\n${table('a')}`,
      'V2__b.sql': `${table('b')}\nINSERT INTO b VALUES ('x');`,
      'V3__c.sql': table('c'),
    });
    await closed(async (proxy, open) => {
      const running = failureOf<MigrationFailedError>(files.migrator({ url: proxy.url(engine.url) }).up());
      await sent(proxy, /CREATE TABLE b/);
      await open();
      const error = await running;
      expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'rolled back' });
      expect(error.message).toContain('V2__b.sql:3:23');
      expect(error.message).toContain('This run had applied before: V1__a.sql. Not applied: V3__c.sql.');
    });
    expect(await scripts()).toEqual(['1 V1__a.sql']);
    expect(await engine.tables()).toEqual(['a']);
  });

  test('is asked after where the connection is lost: the server goes on with what it has got', async () => {
    files.write({ 'V1__a.sql': `${waits}\n${table('a')}`, 'V2__b.sql': table('b'), 'V3__c.sql': table('c') });
    await closed(async (proxy, open) => {
      const running = failureOf(files.migrator({ url: proxy.url(engine.url) }).up());
      await sent(proxy, /CREATE TABLE b/);
      await proxy.cut();
      await open();
      const { message } = await running;
      expect(message).toMatch(/^V3__c\.sql: the connection was lost before it/);
      expect(message).toContain('This run had applied before: V1__a.sql, V2__b.sql.');
    });
    expect(notesOf(files.events).filter((note) => note.endsWith('it is applied.'))).toHaveLength(2);
    expect(await scripts()).toEqual(['1 V1__a.sql', '2 V2__b.sql']);
    expect((await files.migrator().up()).applied.map(({ script }) => script)).toEqual(['V3__c.sql']);
  });

  test('is as unknown as the one before it where the server cannot be asked after the connection is lost', async () => {
    files.write({ 'V1__a.sql': `${waits}\n${table('a')}`, 'V2__b.sql': table('b'), 'V3__c.sql': table('c') });
    await closed(async (proxy, open) => {
      const clock = new ManualClock();
      const running = failureOf(files.migrator({ url: proxy.url(engine.url), clock }).up());
      await sent(proxy, /CREATE TABLE b/);
      proxy.refuse();
      await proxy.cut();
      await open();
      while (!notesOf(files.events).some((note) => note.includes('cannot be asked yet'))) await sleep(5);
      clock.advance(60_000);
      expect((await running).message.split('\n').slice(1, 3)).toEqual([
        'Either all of it is applied, with its row in the history, or nothing.',
        'Nothing else was applied in this run. V2__b.sql was with the server, too: where V1__a.sql is applied, it may be as well. Not applied: V3__c.sql.',
      ]);
      await proxy.heal();
    });
    while ((await scripts()).length < 2) await sleep(5);
    expect(await scripts()).toEqual(['1 V1__a.sql', '2 V2__b.sql']);
  });

  test('is not run where the run is cancelled before', async () => {
    files.write({ 'V1__a.sql': `${waits}\n${table('a')}`, 'V2__b.sql': table('b'), 'V3__c.sql': table('c') });
    const cancel = new AbortController();
    await closed(async (proxy) => {
      const running = failureOf<MigrationInterruptedError>(
        files.migrator({ url: proxy.url(engine.url) }).up({ cancelSignal: cancel.signal }),
      );
      await sent(proxy, /CREATE TABLE b/);
      cancel.abort();
      expect((await running).message.split('\n').slice(0, 3)).toEqual([
        'V1__a.sql: the run was asked to stop.',
        'It was rolled back: the database is as before it.',
        'Nothing else was applied in this run. Not applied: V2__b.sql, V3__c.sql.',
      ]);
    });
    expect(await scripts()).toEqual([]);
    expect(await engine.tables()).toEqual([]);
  });

  test('is taken back where the run is asked to stop before its turn', async () => {
    files.write({
      'V1__a.sql': `${waits}\n${table('a')}`,
      'V2__b.sql': `${table('b')}\nSELECT pg_sleep(600);`,
      'V3__c.sql': table('c'),
    });
    const stop = new AbortController();
    await closed(async (proxy, open) => {
      const running = failureOf<MigrationInterruptedError>(
        files.migrator({ url: proxy.url(engine.url) }).up({ signal: stop.signal }),
      );
      await sent(proxy, /CREATE TABLE b/);
      stop.abort();
      await open();
      expect((await running).message.split('\n').slice(0, 2)).toEqual([
        'Interrupted before V2__b.sql: the run was asked to stop.',
        'This run had applied before: V1__a.sql. Not applied: V2__b.sql, V3__c.sql.',
      ]);
    });
    expect(files.events.map(({ kind }) => kind).filter((kind) => /started|failed/.test(kind))).toEqual([
      'started',
    ]);
    expect(await scripts()).toEqual(['1 V1__a.sql']);
    expect(await engine.tables()).toEqual(['a']);
  });

  test('is applied where the server was faster than the request to stop', async () => {
    files.write({ 'V1__a.sql': `${waits}\n${table('a')}`, 'V2__b.sql': table('b'), 'V3__c.sql': table('c') });
    const stop = new AbortController();
    await closed(async (proxy, open) => {
      const running = failureOf<MigrationInterruptedError>(
        files.migrator({ url: proxy.url(engine.url) }).up({ signal: stop.signal }),
      );
      await sent(proxy, /CREATE TABLE b/);
      // Both are done before the client hears of the first.
      const deliver = proxy.keepAnswers();
      stop.abort();
      await open();
      while ((await scripts()).length < 2) await sleep(5);
      deliver();
      expect((await running).message.split('\n').slice(0, 2)).toEqual([
        'Interrupted before V3__c.sql: the run was asked to stop.',
        'This run had applied before: V1__a.sql, V2__b.sql. Not applied: V3__c.sql.',
      ]);
    });
    expect(await scripts()).toEqual(['1 V1__a.sql', '2 V2__b.sql']);
  });

  test('is sent again where the COMMIT before it took away what says that it came', async () => {
    const inserts = [2, 3, 4, 5, 6].map((n) => [`V${n}__x.sql`, `INSERT INTO a VALUES (${n});`] as const);
    files.write({
      'V1__a.sql': `CREATE TABLE a (n INT);
        CREATE FUNCTION forgets() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RESET ALL; PERFORM pg_sleep(0.05); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forgets();`,
      ...Object.fromEntries(inserts),
    });
    expect((await files.migrator().up()).applied).toHaveLength(6);
    expect(await engine.query('SELECT n FROM a ORDER BY 1')).toEqual([2, 3, 4, 5, 6].map((n) => ({ n })));
    expect(await scripts()).toHaveLength(6);
  });

  test('is cancelled once, and what runs after the failure is left alone', async () => {
    files.write({
      'V1__a.sql': `${waits}\n${table('a')}`,
      'V2__b.sql': `${table('b')}\nSELECT pg_sleep(600);`,
      'afterMigrateError.sql':
        'CREATE TABLE told (n INT);\nSELECT pg_sleep(0.2);\nINSERT INTO told VALUES (1);',
    });
    const cancel = new AbortController();
    await closed(async (proxy, open) => {
      const running = failureOf<MigrationInterruptedError>(
        files.migrator({ url: proxy.url(engine.url) }).up({ cancelSignal: cancel.signal }),
      );
      await sent(proxy, /CREATE TABLE b/);
      await open();
      while (files.events.filter(({ kind }) => kind === 'started').length < 2) await sleep(5);
      proxy.delay({ toServerMs: 20 });
      cancel.abort();
      expect((await running).message).toMatch(/^V2__b\.sql: the run was asked to stop/);
    });
    expect(notesOf(files.events)).not.toContainEqual(expect.stringContaining('The callback failed'));
    expect(await engine.query('SELECT n FROM told')).toEqual([{ n: 1 }]);
    expect(await scripts()).toEqual(['1 V1__a.sql']);
  });

  test.each([
    ['a step ends the run', { step: 1 }, {}],
    ['a callback comes between', {}, { 'afterEachMigrate.sql': 'SELECT 1' }],
  ])('is not sent where %s', async (_, options, more) => {
    files.write({ 'V1__a.sql': `${waits}\n${table('a')}`, 'V2__b.sql': table('b'), ...more });
    await closed(async (proxy, open) => {
      const running = files.migrator({ url: proxy.url(engine.url) }).up(options);
      while ((await engine.query(atGate)).length === 0) await sleep(5);
      expect(proxy.texts.filter((text) => text.includes('CREATE TABLE b'))).toEqual([]);
      await open();
      expect((await running).applied).toHaveLength('step' in options ? 1 : 2);
    });
  });
});
