import { Pool } from 'pg';
import { usePostgres, useWorkspace } from './workspace.js';

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
