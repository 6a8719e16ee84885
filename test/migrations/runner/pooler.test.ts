import type { TestDatabase } from '../../harness/database.js';
import { type PoolMode, startPgbouncer } from '../../harness/pgbouncer.js';
import { failureOf, usePostgres, useWorkspace } from './workspace.js';

const engine = usePostgres();
const files = useWorkspace(engine);

const through = async (mode: PoolMode): Promise<string> => {
  const pooler = await startPgbouncer(engine.url, { mode, size: 3 });
  engine.db.defer(() => pooler.close());
  return pooler.url;
};

test('in transaction mode two deployers apply each file once, by a lease', async () => {
  files.write({
    'V1__a.sql': 'CREATE TABLE a (n INT); INSERT INTO a VALUES (1)',
    'V2__i.sql': '-- no-transaction\nCREATE INDEX CONCURRENTLY a_n ON a (n)',
    'V3__b.sql': "-- lock-timeout: 5s\nSET search_path = ''; INSERT INTO public.a VALUES (3)",
  });
  const url = await through('transaction');
  const runs = [1, 2].map(() => files.migrator({ url, lock: { kind: 'lease' } }).up());
  const applied = (await Promise.all(runs)).flatMap((result) => result.applied.map(({ script }) => script));
  expect(applied.sort()).toEqual(['V1__a.sql', 'V2__i.sql', 'V3__b.sql']);
  expect(await engine.query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 3 }]);
});

test('what a file sets reaches no other client of the pooler', async () => {
  files.write({
    'V1__a.sql':
      "-- lock-timeout: 5s\n-- statement-timeout: 9s\nSET search_path = ''; SET ROLE pg_monitor; RESET ROLE",
    'V2__b.sql': '-- no-transaction\n-- lock-timeout: 5s\nSET default_tablespace = pg_default',
  });
  const url = await through('transaction');
  await files.migrator({ url, lock: { kind: 'lease' } }).up();
  const names = ['search_path', 'lock_timeout', 'statement_timeout', 'default_tablespace', 'role'];
  const settings = names.map((name) => `current_setting('${name}') AS ${name}`).join(', ');
  const pool = (engine.db as TestDatabase).pool({ connectionString: url, max: 3 });
  const clients = await Promise.all([1, 2, 3].map(() => pool.connect()));
  // Each has a session of its own until its transaction ends.
  await Promise.all(clients.map((client) => client.query('BEGIN')));
  for (const client of clients) {
    const { rows } = await client.query(`SELECT ${settings}`);
    client.release(true);
    expect(rows).toEqual([
      {
        search_path: '"$user", public',
        lock_timeout: '0',
        statement_timeout: '0',
        default_tablespace: '',
        role: 'none',
      },
    ]);
  }
});

test.each(['schema', 'search_path'])(
  'a %s in the url is refused in transaction mode, where it would be forgotten, and reaches no other client',
  async (parameter) => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const pooled = new URL(await through('transaction'));
    pooled.searchParams.set(parameter, 'shop');
    const migrator = files.migrator({ url: pooled.href, lock: { kind: 'lease' } });
    expect((await migrator.status()).history).toBe('"shop"."holdfast_schema_history"');
    for (const run of [migrator.up, migrator.undo, migrator.validate, migrator.dryRun])
      expect(await failureOf(run())).toMatchObject({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/a search path holds there for one transaction.*ALTER ROLE/s),
      });
    const { checks } = await migrator.doctor();
    expect(checks.find(({ name }) => name === 'pooler')).toMatchObject({
      result: 'failed',
      message: expect.stringContaining('a search path holds there for one transaction'),
    });
    pooled.searchParams.delete(parameter);
    const pool = (engine.db as TestDatabase).pool({ connectionString: pooled.href, max: 3 });
    const clients = await Promise.all([1, 2, 3].map(() => pool.connect()));
    await Promise.all(clients.map((client) => client.query('BEGIN')));
    for (const client of clients) {
      const { rows } = await client.query('SHOW search_path');
      client.release(true);
      expect(rows).toEqual([{ search_path: '"$user", public' }]);
    }
    expect(await engine.tables()).toEqual([]);
  },
);

test('the schema that is the one of the server by itself, as in many a url of Prisma, needs nothing of the pooler', async () => {
  files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
  const url = new URL(await through('transaction'));
  url.searchParams.set('schema', 'public');
  url.searchParams.set('pgbouncer', 'true');
  const migrator = files.migrator({ url: url.href, lock: { kind: 'lease' } });
  expect((await migrator.up()).applied).toHaveLength(1);
  expect(await engine.tables()).toEqual(['a']);
});

test.each(['session', 'lease'] as const)(
  'in statement mode, which takes no transaction, `up` by a %s says so and changes nothing',
  async (kind) => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const migrator = files.migrator({ url: await through('statement'), lock: { kind } });
    const advice = /pooler in statement mode .* give the url of the server itself/;
    expect(await failureOf(migrator.up())).toMatchObject({ message: expect.stringMatching(advice) });
    const { checks } = await migrator.doctor();
    expect(checks.find(({ name }) => name === 'pooler')).toMatchObject({
      result: 'failed',
      message: expect.stringMatching(advice),
    });
    expect(await engine.tables()).toEqual([]);
  },
);
