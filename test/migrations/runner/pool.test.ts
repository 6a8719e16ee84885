import { ManualClock } from 'holdfast/testing';
import mariadb from 'mariadb';
import { createPool } from 'mysql2/promise';
import { setImmediate as turn } from 'node:timers/promises';
import { Pool } from 'pg';
import { DatabaseUnreachableError } from '../../../src/migrations/index.js';
import { failureOf, notesOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

interface FullPool {
  readonly pool: object;
  /** Takes its only connection. */
  take(): Promise<{ release(): unknown }>;
  end(): Promise<void>;
}

const fullPools = [
  [
    'pg',
    usePostgres,
    (url: string): FullPool => {
      const pool = new Pool({ connectionString: url, max: 1 });
      return {
        pool,
        take: () => pool.connect(),
        end: () => pool.end(),
      };
    },
  ],
  [
    'mysql2',
    () => useMariadb('mysql2'),
    (url: string): FullPool => {
      const pool = createPool({ uri: url, connectionLimit: 1 });
      return {
        pool,
        take: () => pool.getConnection(),
        end: () => pool.end(),
      };
    },
  ],
  [
    'mariadb',
    () => useMariadb('mariadb'),
    (url: string): FullPool => {
      const { hostname: host, port, username: user, password, pathname } = new URL(url);
      const database = pathname.slice(1);
      const pool = mariadb.createPool({
        host,
        port: Number(port),
        user,
        password,
        database,
        connectionLimit: 1,
      });
      return {
        pool,
        take: () => pool.getConnection(),
        end: () => pool.end(),
      };
    },
  ],
] as const;

describe.each(fullPools)('with a pool of %s that has nothing to lend', (_, use, make) => {
  const engine = use();
  const files = useWorkspace(engine);

  /** Moves the time on, step by step, until the work is settled. */
  const advanceUntilOver = async (clock: ManualClock, work: Promise<unknown>): Promise<void> => {
    let isOver = false;
    const end = (): void => void (isOver = true);
    work.then(end, end);
    for (await turn(); !isOver; await turn()) clock.advance(1000);
  };

  test('the wait is told, and ends', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const full = make(engine.url);
    try {
      const taken = await full.take();
      const clock = new ManualClock();
      const failing = failureOf(files.migrator({ pool: full.pool, clock, acquireTimeoutMs: 30_000 }).up());
      await advanceUntilOver(clock, failing);
      const error = await failing;
      expect(error).toBeInstanceOf(DatabaseUnreachableError);
      expect(error.message).toMatch(/has lent no connection within 30000 ms/);
      expect(clock.now()).toBeLessThan(40_000);
      expect(notesOf(files.events)).toEqual([
        expect.stringMatching(/^Waiting for a connection: for 5 s the pool of \w+ has lent none/),
      ]);

      // What it is lent after all is given back: else the next one would wait for ever.
      await taken.release();
      expect((await files.migrator({ pool: full.pool }).up()).applied).toHaveLength(1);
    } finally {
      await full.end();
    }
  });
});

describe('with the pool of an application', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  test('migrations run at its start, and the pool stays open', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT); SET search_path = nowhere;' });
    const pool = new Pool({ connectionString: engine.url, max: 2 });
    try {
      const migrator = files.migrator({ pool });
      expect((await migrator.up()).applied).toHaveLength(1);
      await migrator.close();
      expect((await pool.query('SELECT count(*)::int AS n FROM a')).rows).toEqual([{ n: 0 }]);
    } finally {
      await pool.end();
    }
  });

  test('close() gives up what is kept between calls: a later call opens the database anew', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const migrator = files.migrator();
    await migrator.up();
    await migrator.close();
    await migrator.close();
    expect((await migrator.status()).version).toBe('1');
  });

  test('a schema of its own is created, is in front of the search path, and holds the history', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'V2__b.sql': 'INSERT INTO a VALUES (2)' });
    const migrator = files.migrator({ schema: 'shop' });
    try {
      await migrator.up();
      expect(
        await engine.query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'shop' ORDER BY 1"),
      ).toEqual([{ name: 'a' }, { name: 'holdfast_schema_history' }]);
      expect((await migrator.status()).history).toBe('"shop"."holdfast_schema_history"');
    } finally {
      await engine.query('DROP SCHEMA IF EXISTS shop CASCADE');
    }
  });

  test('placeholders are replaced where they are declared, and left with a note where they are not', async () => {
    files.write({ 'V1__a.sql': "CREATE TABLE a (t TEXT); INSERT INTO a VALUES ('${who}'), ('${what}');" });
    await files.migrator({ placeholders: { who: 'me' } }).up();
    expect((await engine.query('SELECT t FROM a')).map(({ t }) => t)).toEqual(['me', '${what}']);
    expect(files.events).toContainEqual(
      expect.objectContaining({ kind: 'note', message: expect.stringContaining('${what} in line 1') }),
    );
  });
});
