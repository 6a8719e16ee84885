import { jsonOf, type Project, useProjects } from './project.js';
import { useServers } from './servers.js';

const project = useProjects();
const servers = useServers();

const shop = {
  'migrations/V1__add_orders.sql': 'CREATE TABLE orders (id int PRIMARY KEY, item varchar(40));\n',
  'migrations/V2__add_items.sql':
    "INSERT INTO orders VALUES (1, 'pen'), (2, 'ink');\nCREATE TABLE items (id int);\n",
};

describe.each(servers)('on $name', (server) => {
  const env = (): Record<string, string> => ({ DATABASE_URL: server.url });
  const run = (at: Project, ...args: string[]) => at.run(args, { env: env() });
  const json = (at: Project, ...args: string[]) => at.json(args, { env: env() });
  const tables = async (): Promise<string[]> =>
    (
      await server.query(
        `SELECT table_name AS name FROM information_schema.tables
          WHERE table_schema = ${server.name === 'MariaDB' ? 'database()' : "'public'"} ORDER BY 1`,
      )
    ).map(({ name }) => String(name));

  describe('up', () => {
    test('applies what is pending, says so, and then nothing is', async () => {
      const at = project(shop);
      const first = await run(at, 'up');

      expect(first).toMatchObject({ exitCode: 0 });
      expect(first.stdout).toMatch(
        /^✓ V1__add_orders\.sql {2}.+\n✓ V2__add_items\.sql {2}.+\n2 migrations applied in .+ The database is at version 2\.\n$/,
      );
      expect(await tables()).toEqual(expect.arrayContaining(['items', 'orders']));
      expect(await run(at, 'up')).toMatchObject({
        exitCode: 0,
        stdout: 'Nothing to apply. The database is at version 2.\n',
      });
    });

    test('stops at --to, and after --step', async () => {
      const at = project({ ...shop, 'migrations/V3__x.sql': 'CREATE TABLE x (id int);' });

      expect((await json(at, 'up', '--to', '1')).last).toMatchObject({ version: '1' });
      expect((await json(at, 'up', '--step', '1')).last).toMatchObject({ version: '2' });
      expect((await json(at, 'up', '--to', '3')).last).toMatchObject({ version: '3' });
    });

    test('--dry-run changes nothing and says what would happen', async () => {
      const at = project(shop);
      const { exitCode, stdout } = await run(at, 'up', '--dry-run');

      expect(stdout).toMatch(
        /V1__add_orders\.sql[^]*V2__add_items\.sql[^]*2 migrations would be applied\. Nothing was changed/,
      );
      expect(exitCode).toBe(0);
      expect(await tables()).not.toContain('orders');
      expect((await json(at, 'up', '--dry-run')).last).toMatchObject({ dryRun: true, exitCode: 0 });
    });

    test('--json: an object a line, the last one is the result', async () => {
      const { lines, stderr, exitCode } = await json(project(shop), 'up');

      expect(lines.map(({ kind }) => kind)).toEqual(
        expect.arrayContaining(['connected', 'planned', 'started', 'applied', 'result']),
      );
      expect(lines.every(({ time }) => !Number.isNaN(Date.parse(time)))).toBe(true);
      expect(lines.at(-1)).toMatchObject({
        kind: 'result',
        command: 'up',
        exitCode: 0,
        version: '2',
        applied: [
          { script: 'V1__add_orders.sql', version: '1' },
          { script: 'V2__add_items.sql', version: '2' },
        ],
      });
      expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    });
  });

  test('status, validate and doctor say what `up` would of a schema that was not taken over', async () => {
    await server.query('CREATE TABLE customers (id int)');
    const at = project(shop);
    const message = /The schema .* is not empty \(customers\)/;
    const up = await run(at, 'up');
    expect(up).toMatchObject({ exitCode: 5, stderr: expect.stringMatching(message) });
    const status = await run(at, 'status');
    expect(status).toMatchObject({ exitCode: 5, stdout: expect.stringMatching(message) });
    expect(status.stdout).toMatch(/PENDING[^]*✗ The schema[^]*2 migrations pending\.\n$/);
    expect(await run(at, 'validate')).toMatchObject({ exitCode: 5, stdout: expect.stringMatching(message) });
    expect(await run(at, 'doctor')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(new RegExp(`✗ migrations: ${message.source}`)),
    });
    expect((await json(at, 'status')).last).toMatchObject({ exitCode: 5, problems: [{ state: 'PENDING' }] });
  });

  describe('status', () => {
    test('exit code 2 while something is pending, 0 afterwards', async () => {
      const at = project(shop);
      const before = await run(at, 'status');
      await run(at, 'up');
      const after = await run(at, 'status');

      expect(before.stdout).toMatch(
        /1 +add orders +PENDING[^]*2 +add items +PENDING[^]*2 migrations pending\.\n$/,
      );
      expect(after.stdout).toMatch(
        /1 +add orders +SUCCESS[^]*2 +add items +SUCCESS[^]*nothing is pending\.\n$/,
      );
      expect([before.exitCode, after.exitCode]).toEqual([2, 0]);
    });

    test('tells when it was applied in UTC, whatever the time zone of the process is', async () => {
      const at = project(shop);
      await at.start(['up'], { env: { ...env(), TZ: 'Asia/Seoul' } }).ended;
      const zones = ['Asia/Seoul', 'America/New_York', 'UTC'];
      const told: unknown[] = [];
      for (const TZ of zones) {
        const { last } = jsonOf(await at.start(['status', '--json'], { env: { ...env(), TZ } }).ended);
        told.push((last['entries'] as { installedOn: string }[])[0]!.installedOn);
      }
      const appliedAt = Date.parse(String(told[0]));

      expect(told).toEqual(zones.map(() => new Date(appliedAt).toISOString()));
      expect(Math.abs(appliedAt - Date.now())).toBeLessThan(15 * 60_000);
    });

    test('exit code 5 when an applied file was edited, which it names', async () => {
      const at = project(shop);
      await run(at, 'up');
      at.write({ 'migrations/V1__add_orders.sql': 'CREATE TABLE orders (id bigint);\n' });
      const { exitCode, stdout } = await run(at, 'status');

      expect(stdout).toMatch(/add orders +CHANGED[^]*✗ .*V1__add_orders\.sql/);
      expect(exitCode).toBe(5);
      expect((await json(at, 'status')).last).toMatchObject({
        kind: 'result',
        exitCode: 5,
        problems: [{ state: 'CHANGED' }],
      });
    });
  });

  test('status: a callback that failed after what it belongs to is owed, exit code 2', async () => {
    const at = project({ ...shop, 'migrations/afterMigrate.sql': 'SELECT id FROM nowhere;' });
    expect((await run(at, 'up')).exitCode).not.toBe(0);

    expect(await run(at, 'status')).toMatchObject({
      exitCode: 2,
      stdout: expect.stringMatching(
        /\nafterMigrate failed after what it belongs to was applied: the next `up` runs it/,
      ),
    });
    at.write({ 'migrations/afterMigrate.sql': 'SELECT 1;' });
    expect(await run(at, 'up')).toMatchObject({ exitCode: 0 });
    expect(await run(at, 'status')).toMatchObject({ exitCode: 0 });
  });

  test('undo and down take the last version back', async () => {
    const at = project({
      ...shop,
      'migrations/U2__add_items.sql': 'DELETE FROM orders;\nDROP TABLE items;\n',
    });
    await run(at, 'up');

    expect(await run(at, 'undo')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(
        /^✓ U2__add_items\.sql .+\n1 migration undone\. The database is at version 1\.\n$/,
      ),
    });
    expect(await tables()).not.toContain('items');
    await run(at, 'up');
    expect((await json(at, 'down')).last).toMatchObject({ command: 'undo', exitCode: 0, version: '1' });
  });

  test('validate and repair: an edited file is a problem until it is accepted', async () => {
    const at = project(shop);
    await run(at, 'up');
    expect(await run(at, 'validate')).toMatchObject({
      exitCode: 0,
      stdout: 'Files and history agree. 0 migrations pending.\n',
    });
    at.write({ 'migrations/V1__add_orders.sql': `${shop['migrations/V1__add_orders.sql']}-- a comment\n` });
    const invalid = await run(at, 'validate');
    const refused = await run(at, 'up');
    const repaired = await run(at, 'repair');

    expect(invalid).toMatchObject({ exitCode: 5, stdout: expect.stringContaining('V1__add_orders.sql') });
    expect(refused).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('V1__add_orders.sql') });
    expect(repaired).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^✓ .*V1__add_orders/) });
    expect(await run(at, 'validate')).toMatchObject({ exitCode: 0 });
    expect(await run(at, 'repair')).toMatchObject({ exitCode: 0, stdout: 'Nothing to repair.\n' });
  });

  test('baseline: what is below it is never run', async () => {
    const at = project(shop);

    expect(await run(at, 'baseline', '1', '--description', 'as found')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^The baseline is version 1:/),
    });
    await server.query('CREATE TABLE orders (id int, item varchar(40))');
    expect((await json(at, 'up')).last).toMatchObject({ applied: [{ script: 'V2__add_items.sql' }] });
  });

  test('adopt takes over what another tool has applied', async () => {
    const at = project({
      'migrations/20250101000000-add-orders.sql': 'CREATE TABLE orders (id int);',
      'migrations/20250102000000-add-items.sql': 'CREATE TABLE items (id int);',
    });
    await server.query('CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)');
    await server.query("INSERT INTO schema_migrations VALUES ('20250101000000')");
    const { exitCode, stdout } = await run(at, 'adopt', '--from', 'dbmate');

    expect(stdout).toMatch(/✓ 20250101000000-add-orders\.sql\n[^]*1 migration taken over from dbmate\.\n$/);
    expect(exitCode).toBe(0);
    expect((await json(at, 'up')).last).toMatchObject({
      applied: [{ script: '20250102000000-add-items.sql' }],
    });
  });

  test('unlock: without a holder there is nothing to do', async () => {
    expect(await run(project(shop), 'unlock')).toMatchObject({
      exitCode: 0,
      stdout: 'Nobody holds the lock.\n',
    });
  });

  test('doctor names where the settings come from, and no value', async () => {
    const { exitCode, stdout } = await run(project(shop), 'doctor');

    expect(stdout).toMatch(/✓ configuration: no configuration file; url by DATABASE_URL\n/);
    expect(stdout).not.toContain(server.url);
    expect(exitCode).toBe(0);
  });

  describe('what fails', () => {
    const partial = server.name === 'MariaDB';

    test(`a statement: exit code ${partial ? 3 : 1}, with place, what is left, and the next step`, async () => {
      const at = project({
        'migrations/V1__x.sql': 'CREATE TABLE x (id int);\n\nINSERT INTO nowhere VALUES (1);\n',
      });
      const { exitCode, stdout, stderr } = await run(at, 'up');

      expect(stderr).toMatch(/V1__x\.sql:3:\d+: .*nowhere/);
      expect(stderr).toMatch(/\nNext: /);
      expect(stdout).toBe('✗ V1__x.sql\n');
      expect(exitCode).toBe(partial ? 3 : 1);
    });

    test('--json: the last line is the error, and stderr is empty', async () => {
      const at = project({
        ...shop,
        'migrations/V3__x.sql': 'INSERT INTO nowhere VALUES (1);',
        'migrations/V4__y.sql': '',
      });
      const { last, stderr, exitCode } = await json(at, 'up');

      expect(last).toMatchObject({
        kind: 'error',
        command: 'up',
        exitCode,
        code: 'MIGRATION_FAILED',
        script: 'V3__x.sql',
        applied: ['V1__add_orders.sql', 'V2__add_items.sql'],
        notReached: ['V4__y.sql'],
      });
      expect(stderr).toBe('');
    });

    test('a verification: exit code 6', async () => {
      const at = project({
        'migrations/V1__x.sql':
          'CREATE TABLE x (id int);\nINSERT INTO x VALUES (1);\n-- verify: SELECT * FROM x\n',
      });

      expect((await json(at, 'up')).last).toMatchObject({
        kind: 'error',
        exitCode: 6,
        code: 'VERIFY_FAILED',
      });
    });

    test('a directory that is not there: exit code 64', async () => {
      const { exitCode, stderr } = await run(project(shop), 'up', '--directory', 'nowhere');

      expect(stderr).toMatch(/There is no directory .*nowhere\. Create it/);
      expect(exitCode).toBe(64);
    });

    test('a callback after the failure tells its own after it', async () => {
      const { stderr } = await run(
        project({
          'migrations/V1__x.sql': 'INSERT INTO nowhere VALUES (1);',
          'migrations/afterMigrateError.sql': 'INSERT INTO no_log VALUES (1);',
        }),
        'up',
      );

      expect(stderr).toMatch(
        /V1__x\.sql:1:\d+: [^]*\nNext: .*\nafterMigrateError\.sql: The callback failed: .*no_log/,
      );
    });

    test('a database that cannot be reached: exit code 1, and no password', async () => {
      const url = new URL(server.url);
      url.password = 'correct-horse';
      url.port = '1';
      const { exitCode, stderr, stdout } = await project(shop).run(['up'], {
        env: { DATABASE_URL: url.href },
      });

      expect(exitCode).toBe(1);
      expect(stderr).not.toBe('');
      expect(stdout + stderr).not.toContain('correct-horse');
    });
  });
});

test('a url without a database on MariaDB: exit code 64', async () => {
  const url = new URL(servers[1]!.url);
  url.pathname = '';
  const { exitCode, stderr } = await project(shop).run(['up'], { env: { DATABASE_URL: url.href } });

  expect(stderr).toMatch(/The url names no database\. Put it at its end/);
  expect(exitCode).toBe(64);
});

test('sslmode=require verifies, and pg says nothing of its next major version', async () => {
  const url = `${servers[0]!.url}?sslmode=require`;
  // A process of its own: the warning is given once in each.
  const { stderr } = await project(shop).start(['up'], { env: { DATABASE_URL: url } }).ended;

  expect(stderr).toMatch(/does not support SSL[^]*It has no TLS/);
  expect(stderr).not.toMatch(/warning/i);
});
