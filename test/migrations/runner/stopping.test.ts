import { MigrationInterruptedError } from '../../../src/migrations/index.js';
import { ENGINES, failureOf, useWorkspace } from './workspace.js';

describe.each(ENGINES)('a run by %s', (_, use) => {
  const engine = use();
  const files = useWorkspace(engine);

  test('ends at the boundary of a statement when it is asked to, and goes on later', async () => {
    // What sets something first is not sent ahead.
    const second = '-- lock-timeout: 30s\nCREATE TABLE b (n INT)';
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': second });
    const stop = new AbortController();
    const migrator = files.migrator({
      onEvent: (event) => {
        if (event.kind === 'applied') stop.abort();
      },
    });
    const error = await failureOf<MigrationInterruptedError>(migrator.up({ signal: stop.signal }));
    expect(error).toBeInstanceOf(MigrationInterruptedError);
    expect(error.message).toContain('This run had applied before: V1__a.sql.');
    expect(await migrator.lockHolder()).toBeUndefined();
    expect(await engine.tables()).toEqual(['a']);
    expect((await migrator.up()).applied.map(({ script }) => script)).toEqual(['V2__b.sql']);
  });

  test.each([
    ['as its result', engine.driver === 'pg' ? 'SELECT pg_sleep(60)' : 'SELECT SLEEP(60)'],
    // MariaDB answers a DO that was ended with a warning, and no error.
    ['as a warning', engine.driver === 'pg' ? 'DO $$ BEGIN PERFORM pg_sleep(60); END $$' : 'DO SLEEP(60)'],
  ])(
    'cancels the running statement when it is asked to end now, which the server says %s',
    async (_how, sleep) => {
      files.write({
        'V1__a.sql': 'CREATE TABLE a (n INT)',
        'V2__b.sql': `INSERT INTO a VALUES (1);\n${sleep};`,
      });
      const cancel = new AbortController();
      const running = failureOf<MigrationInterruptedError>(
        files.migrator().up({ cancelSignal: cancel.signal }),
      );
      const asked = '%sleep(60)%';
      const list =
        engine.driver === 'pg'
          ? `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query ILIKE '${asked}' AND pid <> pg_backend_pid()`
          : `SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '${asked}' AND id <> CONNECTION_ID()`;
      while ((await engine.query(list)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      cancel.abort();
      const error = await running;
      expect(error).toBeInstanceOf(MigrationInterruptedError);
      expect(error.effect).toBe('rolled back');
      expect(await engine.query('SELECT n FROM a')).toEqual([]);
    },
  );

  test('cancels a statement, too, that comes to the server after the request to end it', async () => {
    const seconds = 60;
    files.write({
      'V1__a.sql': engine.driver === 'pg' ? `SELECT pg_sleep(${seconds})` : `DO SLEEP(${seconds})`,
    });
    const proxy = await engine.db.proxy();
    const armed = proxy.once(/sleep\(60\)/i, { action: 'hold' });
    const cancel = new AbortController();
    const running = failureOf<MigrationInterruptedError>(
      files.migrator({ url: proxy.url(engine.url) }).up({ cancelSignal: cancel.signal }),
    );
    await armed.fired;
    const before = proxy.connectionCounts;
    cancel.abort();
    const isAsked = (): boolean => {
      const { accepted, open } = proxy.connectionCounts;
      return accepted > before.accepted && open === before.open;
    };
    while (!isAsked()) await new Promise((resolve) => setTimeout(resolve, 5));
    armed.release();
    expect(await running).toBeInstanceOf(MigrationInterruptedError);
  });
});
