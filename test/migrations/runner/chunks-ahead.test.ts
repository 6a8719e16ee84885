import type { MigrationFailedError } from '../../../src/migrations/index.js';
import { until } from '../../conformance/observing.js';
import { failureOf, usePostgres, useWorkspace } from './workspace.js';

/** A large file of PostgreSQL goes in chunks of 200 statements, most of which are sent before the one ahead is answered. */
describe('chunks that are sent ahead', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);
  const inserts = (from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, index) => `INSERT INTO a VALUES (${from + index});`);
  const up = (lines: readonly string[], url = engine.url): Promise<MigrationFailedError> => {
    files.write({ 'V1__a.sql': lines.join('\n') });
    return failureOf<MigrationFailedError>(files.migrator({ url }).up());
  };

  test('take fewer round trips than there are of them', async () => {
    const flightsOf = async (first: string): Promise<number> => {
      const lines = ['CREATE TABLE a (n INT PRIMARY KEY);', ...inserts(1, 1999)];
      for (let chunk = 200; chunk < 2000; chunk += 200) lines[chunk] = `${first} a VALUES (${chunk});`;
      files.write({ 'V1__a.sql': lines.join('\n') });
      const proxy = await engine.db.proxy();
      await files.migrator({ url: proxy.url(engine.url) }).up();
      const order = proxy.texts.flatMap(
        (text) => /\(\d+\)/.exec(text.split('INTO a VALUES ')[1] ?? '')?.[0] ?? [],
      );
      expect(order.map((value) => Number(value.slice(1, -1)))).toEqual([
        1, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800,
      ]);
      expect(await engine.query('SELECT count(*)::int AS n FROM a')).toEqual([{ n: 1999 }]);
      await engine.query('DROP TABLE a, holdfast_schema_history');
      return proxy.flights;
    };
    const ahead = await flightsOf('INSERT INTO');
    // What may be anything waits for the answer.
    const each = await flightsOf('WITH v AS (SELECT 1) INSERT INTO');
    expect(each - ahead).toBeGreaterThanOrEqual(2);
  });

  test.each([2, 199, 201, 400, 401, 450, 600, 1000, 1001, 1150])(
    'the statement in line %i fails: it is named, and nothing of what was behind it was run',
    async (line) => {
      const lines = ['CREATE TABLE a (n INT PRIMARY KEY);', ...inserts(1, 1299)];
      lines[line - 1] = 'INSERT INTO a VALUES (0), (0);';
      const failure = await up(lines);
      expect(failure).toMatchObject({ effect: 'rolled back' });
      expect(failure.message).toMatch(new RegExp(`V1__a.sql:${line}:.*duplicate key`, 's'));
      expect(await engine.tables()).toEqual([]);
    },
  );

  test('a syntax error is found in its place, in whichever chunk', async () => {
    const lines = ['CREATE TABLE a (n INT PRIMARY KEY);', ...inserts(1, 1299)];
    lines[776] = 'INSERT INTO a VALUE 1;';
    expect(await up(lines)).toMatchObject({
      effect: 'rolled back',
      message: expect.stringContaining('V1__a.sql:777:'),
    });
    expect(await engine.tables()).toEqual([]);
  });

  test.each(['ROLLBACK TO SAVEPOINT s;', '/* back */ ROLLBACK TO s;', 'RELEASE SAVEPOINT s;'])(
    'what would take a failure back is not sent ahead: %s',
    async (back) => {
      const lines = ['CREATE TABLE a (n INT PRIMARY KEY);', 'SAVEPOINT s;', ...inserts(1, 1200)];
      lines[599] = 'INSERT INTO a VALUES (0), (0);';
      lines[600] = back;
      const proxy = await engine.db.proxy();
      // The third chunk fails, and is with the server for as long as it takes to write the next one.
      const third = proxy.once(/INSERT INTO a VALUES \(399\)/, { action: 'hold' });
      const failing = up(lines, proxy.url(engine.url));
      await third.fired;
      await until('the second chunk is answered', () =>
        proxy.statements.some(({ text, outcome }) => text.includes('(199)') && outcome === 'completed'),
      );
      third.release();
      expect(await failing).toMatchObject({
        effect: 'rolled back',
        message: expect.stringContaining('V1__a.sql:600:'),
      });
      expect(proxy.texts.filter((text) => /ROLLBACK TO|RELEASE/.test(text))).toEqual([]);
      expect(await engine.tables()).toEqual([]);
    },
  );

  test('the connection is lost between two of them: nothing is applied', async () => {
    files.write({ 'V1__a.sql': ['CREATE TABLE a (n INT PRIMARY KEY);', ...inserts(1, 1299)].join('\n') });
    const proxy = await engine.db.proxy();
    proxy.once(/INSERT INTO a VALUES \(600\)/, { action: 'cut-before' });
    const failure = await failureOf(files.migrator({ url: proxy.url(engine.url) }).up());
    expect(failure).toMatchObject({ effect: 'rolled back' });
    expect(await engine.tables()).toEqual([]);
    await files.migrator().up();
    expect(await engine.query('SELECT count(*)::int AS n FROM a')).toEqual([{ n: 1299 }]);
  });
});
