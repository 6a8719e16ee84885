import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ManualClock } from '../../../src/testing/index.js';
import type { TestDatabase } from '../../harness/database.js';
import { usePostgres, useWorkspace } from './workspace.js';

describe('on a PostgreSQL whose transactions are SERIALIZABLE by default', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);
  beforeAll(async () => {
    await engine.query(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$",
    );
  });
  const tell = "INSERT INTO told VALUES (current_setting('transaction_isolation'))";

  test('a migration runs in READ COMMITTED, unless it says at its head what it needs', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE told (level TEXT)',
      'V2__b.sql': tell,
      'V3__c.sql': `-- lock-timeout: 5s\nSET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\n${tell}`,
      'V4__d.js': `exports.up = ({ sql }) => sql("${tell}")`,
      'V5__e.sql': `-- no-transaction\n${tell}`,
    });
    await files.migrator({ statementTimeoutMs: 60_000 }).up();
    expect((await engine.query('SELECT level FROM told')).map(({ level }) => level)).toEqual([
      'read committed',
      'repeatable read',
      'read committed',
      'read committed',
    ]);
  });

  test('a lease that is renewed while the migration runs is still ours at its COMMIT', async () => {
    const renewed = 'SELECT expires FROM holdfast_migration_lock';
    files.write({
      'V1__a.sql': `CREATE TABLE a AS ${renewed}; SELECT pg_advisory_xact_lock(42); INSERT INTO a ${renewed};`,
    });
    const gate = await (engine.db as TestDatabase).client();
    await gate.query('SELECT pg_advisory_lock(42)');
    const clock = new ManualClock();
    const running = files.migrator({ clock, lock: { kind: 'lease', leaseMs: 30_000 } }).up();
    const atGate =
      "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()";
    while ((await engine.query(atGate)).length === 0) await sleep(5);
    const [before] = await engine.query(renewed);
    clock.advance(10_000);
    while (isDeepStrictEqual((await engine.query(renewed))[0], before)) await sleep(5);
    await gate.query('SELECT pg_advisory_unlock(42)');
    await running;
    expect(await engine.query('SELECT count(DISTINCT expires)::int AS times FROM a')).toEqual([{ times: 2 }]);
  });
});
