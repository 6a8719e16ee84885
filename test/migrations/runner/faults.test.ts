import { setTimeout as sleep } from 'node:timers/promises';
import {
  MigrationFailedError,
  MigrationInterruptedError,
  MissingRightsError,
} from '../../../src/migrations/index.js';
import { ManualClock } from '../../../src/testing/index.js';
import { failureOf, notesOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mysql2', () => useMariadb('mysql2')],
] as const;

describe.each(engines)('when the database goes away, by %s', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);

  test('in the middle of a transaction, nothing of the migration stays', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      // What follows a SET is read once that is answered: it is in another packet.
      'V2__b.sql': `INSERT INTO a VALUES (1);\n${driver === 'pg' ? 'SET LOCAL work_mem = 1024' : 'SET @n = 2'};\nINSERT INTO a VALUES (2);`,
    });
    const proxy = await engine.db.proxy();
    proxy.arm(/INSERT INTO a VALUES \(1\)/, { action: 'cut-after' }, { times: 1 });
    const error = await failureOf<MigrationFailedError>(files.migrator({ url: proxy.url(engine.url) }).up());
    expect(error).toBeInstanceOf(MigrationFailedError);
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'rolled back' });
    expect(error.message).toContain('The server rolls back what a lost connection had not committed');
    await files.migrator().up();
    expect(await engine.query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('instead of the answer to COMMIT, the row in the history settles it', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': 'INSERT INTO a VALUES (1)' });
    await files.migrator().up({ to: '1' });
    const proxy = await engine.db.proxy();
    const armed = proxy.arm(/(?:^|\n)COMMIT$/, { action: 'cut-after' }, { times: 1 });
    const { applied } = await files.migrator({ url: proxy.url(engine.url) }).up();
    expect(armed.hits).toHaveLength(1);
    expect(applied.map(({ script }) => script)).toEqual(['V2__b.sql']);
    expect(notesOf(files.events).join('\n')).toContain('found its row in the history: it is applied');
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }]);
  });

  test('before COMMIT reached it, the missing row settles it', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': 'INSERT INTO a VALUES (1)' });
    await files.migrator().up({ to: '1' });
    const proxy = await engine.db.proxy();
    proxy.arm(/(?:^|\n)COMMIT$/, { action: 'cut-before' }, { times: 1 });
    const error = await failureOf<MigrationFailedError>(files.migrator({ url: proxy.url(engine.url) }).up());
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'rolled back' });
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
  });

  test('after COMMIT, and does not come back, the outcome is unknown and said to be', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': 'INSERT INTO a VALUES (1)' });
    await files.migrator().up({ to: '1' });
    const proxy = await engine.db.proxy();
    const armed = proxy.arm(/(?:^|\n)COMMIT$/, { action: 'cut-after' }, { times: 1 });
    void armed.fired.then(() => proxy.refuse());
    const clock = new ManualClock();
    const migrator = files.migrator({
      url: proxy.url(engine.url),
      clock,
      onEvent: (event) => {
        if (event.kind === 'note' && /cannot be asked yet/.test(event.message))
          setImmediate(() => clock.advance(30_000));
      },
    });
    const error = await failureOf<MigrationFailedError>(migrator.up());
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'unknown' });
    expect(error.message).toContain('`status` says whether it is applied');
    await proxy.heal();
  });

  test('after COMMIT, and is back a moment later, the row in the history settles it', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': 'INSERT INTO a VALUES (1)' });
    await files.migrator().up({ to: '1' });
    const proxy = await engine.db.proxy();
    const armed = proxy.arm(/(?:^|\n)COMMIT$/, { action: 'cut-after' }, { times: 1 });
    void armed.fired.then(() => proxy.refuse());
    const notes: string[] = [];
    const clock = new ManualClock();
    const migrator = files.migrator({
      url: proxy.url(engine.url),
      clock,
      onEvent: (event) => {
        if (event.kind !== 'note') return;
        notes.push(event.message);
        if (/cannot be asked yet/.test(event.message)) void proxy.heal().then(() => clock.advance(500));
      },
    });
    expect((await migrator.up()).applied).toMatchObject([{ script: 'V2__b.sql', statements: 1 }]);
    expect(notes).toEqual([
      expect.stringContaining('cannot be asked yet'),
      expect.stringContaining('found its row in the history: it is applied'),
    ]);
  });

  test('while a statement that commits by itself runs, the next run finds out', async () => {
    const alone =
      driver === 'pg' ? 'CREATE INDEX CONCURRENTLY a_n ON a (n)' : 'ALTER TABLE a ADD COLUMN m INT';
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': `INSERT INTO a (n) VALUES (1);\n${alone};`,
    });
    const proxy = await engine.db.proxy();
    proxy.arm(
      /(?:^|\n)(?:CREATE INDEX CONCURRENTLY|ALTER TABLE a ADD COLUMN m)/,
      { action: 'cut-after' },
      { times: 1 },
    );
    const error = await failureOf<MigrationFailedError>(files.migrator({ url: proxy.url(engine.url) }).up());
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'unknown', position: { line: 2 } });
    expect(error.message).toContain('the next `up` asks the server whether it took effect');
    await files.migrator().up();
    expect(notesOf(files.events).join('\n')).toContain('had taken effect: it is not run again');
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }]);
  });
});

describe('on PostgreSQL', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  test('a user who may create nothing is told the grant', async () => {
    await engine.query('DROP ROLE IF EXISTS holdfast_poor');
    await engine.query("CREATE ROLE holdfast_poor LOGIN PASSWORD 'poor'");
    await engine.query('GRANT USAGE ON SCHEMA public TO holdfast_poor');
    try {
      const url = new URL(engine.url);
      url.username = 'holdfast_poor';
      url.password = 'poor';
      files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
      const migrator = files.migrator({ url: url.href });
      const error = await failureOf(migrator.up());
      expect(error).toBeInstanceOf(MissingRightsError);
      expect(error.message).toContain('GRANT USAGE, CREATE ON SCHEMA "public" TO "holdfast_poor"');
      const rights = (await migrator.doctor()).checks.find(({ name }) => name === 'rights');
      expect(rights).toMatchObject({ result: 'failed' });
      expect(await migrator.lockHolder()).toBeUndefined();
    } finally {
      await engine.query('REVOKE ALL ON SCHEMA public FROM holdfast_poor');
      await engine.query('DROP ROLE holdfast_poor');
    }
  });

  test('a server that only reads is refused before anything is done', async () => {
    const url = new URL(engine.url);
    url.searchParams.set('options', '-c default_transaction_read_only=on');
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const error = await failureOf(files.migrator({ url: url.href }).up());
    expect(error).toBeInstanceOf(MissingRightsError);
    expect(error.message).toContain('only reads');
    expect((await files.migrator({ url: url.href }).status()).pending).toEqual(['V1__a.sql']);
  });

  test('a disk that is full rolls back, and says so', async () => {
    // temp_file_limit is a quota that the server keeps for itself: the error is the one of its class, 53400.
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql':
        "SET LOCAL work_mem = '64kB';\nSET LOCAL temp_file_limit = '64kB';\nINSERT INTO a SELECT n FROM generate_series(1, 500000) n ORDER BY -n;",
    });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'rolled back', position: { line: 3 } });
    expect(error.message).toContain('temp_file_limit');
    expect(await engine.query('SELECT count(*)::int AS n FROM a')).toEqual([{ n: 0 }]);
  });

  test('the hint of an error is told, and the line of the data of COPY, without the data', async () => {
    files.write({ 'V1__a.sql': "DO $$BEGIN RAISE EXCEPTION 'boom' USING HINT = 'run it first'; END$$" });
    expect((await failureOf(files.migrator().up())).message).toContain('boom [P0001]. Hint: run it first.');
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT, m INT);\nCOPY a FROM stdin;\n1\t2\n3\tsecret\n\\.\n',
    });
    expect((await failureOf(files.migrator().up())).message).toContain('(COPY a, line 2, column m)');
  });

  test('DISCARD ALL, which would release the lock, is refused before anything is sent', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT);\nDISCARD ALL;' });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ effect: 'rolled back', position: { line: 2, column: 1 } });
    expect(error.message).toContain('DISCARD ALL would release the migration lock');
    expect(error.message).toContain('Take it out');
    expect(await engine.tables()).toEqual([]);
  });

  test('a COMMIT that is cancelled with the run is no timeout', async () => {
    files.write({
      'V1__a.sql': `CREATE TABLE a (n INT);
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow();`,
      'V2__b.sql': 'INSERT INTO a VALUES (1)',
    });
    const cancel = new AbortController();
    const failing = failureOf<MigrationFailedError>(files.migrator().up({ cancelSignal: cancel.signal }));
    const asleep =
      "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    while ((await engine.query(asleep)).length === 0) await sleep(20);
    // Whoever waits is told meanwhile who has the lock.
    expect(await files.migrator().lockHolder()).toMatchObject({ pid: process.pid, migration: 'V2__b.sql' });
    cancel.abort();
    const error = await failing;
    expect(error).toBeInstanceOf(MigrationInterruptedError);
    expect(error).toMatchObject({ effect: 'rolled back' });
    expect(error.message).not.toContain('timeout');
  });

  test('a syntax error in line 9,999 is named there', async () => {
    const lines = Array.from({ length: 12_000 }, (_, index) => `INSERT INTO a VALUES (${index});`);
    lines[9998] = '  INSERT INTO a VALUS (1);';
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': lines.join('\n') });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ effect: 'rolled back', position: { line: 9999, column: 17 } });
    expect(error.message).toMatch(/^V2__b\.sql:9999:17: /);
    expect(await engine.query('SELECT count(*)::int AS n FROM a')).toEqual([{ n: 0 }]);
  });

  test('a deferred constraint that fails at COMMIT rolls back, and the row of the history with it', async () => {
    files.write({
      'V1__a.sql':
        'CREATE TABLE a (n INT PRIMARY KEY); CREATE TABLE b (n INT REFERENCES a DEFERRABLE INITIALLY DEFERRED)',
      'V2__b.sql': 'INSERT INTO b VALUES (1)',
    });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'rolled back' });
    expect((await files.migrator().status()).pending).toEqual(['V2__b.sql']);
  });

  test('COPY … FROM stdin with its data, as pg_dump writes it', async () => {
    files.write({
      'V1__dump.sql':
        "SET statement_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE public.a (n integer, t text);\nCOPY public.a (n, t) FROM stdin;\n1\tone\n2\t\\N\n\\.\n\nINSERT INTO public.a VALUES (3, 'three');\n",
    });
    await files.migrator().up();
    expect(await engine.query('SELECT n, t FROM a ORDER BY n')).toEqual([
      { n: 1, t: 'one' },
      { n: 2, t: null },
      { n: 3, t: 'three' },
    ]);
  });
});

describe('on MariaDB', () => {
  const engine = useMariadb('mysql2');
  const files = useWorkspace(engine);

  test('a syntax error in line 9,999 is named there', async () => {
    const lines = Array.from({ length: 12_000 }, (_, index) => `INSERT INTO a VALUES (${index});`);
    lines[9998] = '  INSERT INTO a VALUS (1);';
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': lines.join('\n') });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ effect: 'rolled back', position: { line: 9999, column: 17 } });
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
  });

  test('a user who may create nothing is told the grant', async () => {
    const name = new URL(engine.url).pathname.slice(1);
    await engine.query("CREATE OR REPLACE USER holdfast_poor@'%' IDENTIFIED BY 'poor'");
    await engine.query(`GRANT SELECT ON \`${name}\`.* TO holdfast_poor@'%'`);
    try {
      const url = new URL(engine.url);
      url.username = 'holdfast_poor';
      url.password = 'poor';
      files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
      const error = await failureOf(files.migrator({ url: url.href }).up());
      expect(error).toBeInstanceOf(MissingRightsError);
      expect(error.message).toContain('GRANT CREATE');
    } finally {
      await engine.query("DROP USER holdfast_poor@'%'");
    }
  });
});
