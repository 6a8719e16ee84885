import { createLock } from '../../../src/migrations/locks/create-lock.js';
import type { LockHolder, MigrationLock } from '../../../src/migrations/locks/lock.js';
import type { MigrationSession } from '../../../src/migrations/database/session.js';
import { Journal } from '../../../src/migrations/history/journal.js';
import { MYSQL_DRIVERS, useServer } from '../database/drivers.js';

const HISTORY = { format: 'holdfast', table: 'history', schema: undefined } as const;
const NOBODY = { waitMs: 0, onWaiting: () => {} };
const ENTRY = {
  first: 1,
  last: 1,
  sha256: '',
  line: 1,
  text: '',
  fingerprint: undefined,
  when: 'now',
} as const;

describe.each(MYSQL_DRIVERS)('what the holder of a session lock runs, by %s', (driver) => {
  const server = useServer(driver);
  let session: MigrationSession;
  let lock: MigrationLock;
  let schema: string;

  beforeEach(async () => {
    await server.query('DROP TABLE IF EXISTS holdfast_migration_journal, holdfast_migration_lock');
    [{ schema }] = (await server.query<{ schema: string }>('SELECT DATABASE() AS `schema`')) as [
      { schema: string },
    ];
    session = await server.open();
    lock = await lockOf(session);
    await lock.acquire(NOBODY);
    await lock.announce('V1__in_the_row.sql');
  });
  afterEach(() => lock.release());

  async function lockOf(of: MigrationSession): Promise<MigrationLock> {
    const database = await server.database();
    return createLock({ database, session: of, history: HISTORY, kind: 'session', leaseMs: 1000 });
  }

  async function write(script: string, { by = session, history = 'history' } = {}): Promise<void> {
    const journal = new Journal({ schema, name: history }, 'mysql');
    await journal.ensure(by);
    await journal.started(by, script, ENTRY);
  }

  /** As another deployer sees it, in whose session another time is told. */
  async function seen(): Promise<LockHolder | undefined> {
    const other = await server.open();
    await other.query("SET time_zone = '+11:00'");
    return (await lockOf(other)).holder();
  }

  test('is what the row of the lock says, where there is no journal', async () => {
    expect(await seen()).toMatchObject({ pid: process.pid, migration: 'V1__in_the_row.sql' });
  });

  test('is what its session began last, whatever time zone that is in', async () => {
    await write('V2__begun.sql');
    await session.query("SET time_zone = '-11:00'");
    await write('V3__begun.sql');
    expect(await seen()).toMatchObject({ pid: process.pid, migration: 'V3__begun.sql' });
    await session.query('DELETE FROM holdfast_migration_journal');
    expect(await seen()).toMatchObject({ migration: 'V1__in_the_row.sql' });
  });

  test('is not what another session began, or for another history, nor callbacks that are owed', async () => {
    await write('V2__of_another_session.sql', { by: await server.open() });
    await write('V2__of_another_history.sql', { history: 'other' });
    await new Journal({ schema, name: 'history' }, 'mysql').owe(session, 'afterMigrate');
    expect(await seen()).toMatchObject({ migration: 'V1__in_the_row.sql' });
  });

  test('is not what a session of the same id began that ended without a word', async () => {
    await write('V2__of_a_dead_one.sql');
    // It frees the lock on the server alone, as the end of the session does.
    await session.query('DO RELEASE_ALL_LOCKS()');
    const next = await lockOf(session);
    await next.acquire(NOBODY);
    const holder = await seen();
    expect(holder).toMatchObject({ pid: process.pid });
    expect(holder!.migration).toBeUndefined();
    await write('V3__of_its_own.sql');
    expect(await seen()).toMatchObject({ migration: 'V3__of_its_own.sql' });
    await next.release();
  });

  test('is not to be said where a row of the journal says it, and taken back where another was named', async () => {
    const row = async (): Promise<unknown> =>
      (await server.query<{ migration: string | null }>('SELECT migration FROM holdfast_migration_lock'))[0]!
        .migration;
    await lock.announceStarted!('now');
    expect(await row()).toBeNull();
    await server.query("UPDATE holdfast_migration_lock SET migration = 'untouched'");
    await lock.announceStarted!('now');
    expect(await row()).toBe('untouched');
  });

  test('is what the row says to whoever may not read the journal', async () => {
    const user = `no_journal_${driver}_${process.pid}`;
    await write('V2__begun.sql');
    await server.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'weak'`);
    try {
      await server.query(`GRANT SELECT ON \`${schema}\`.holdfast_migration_lock TO '${user}'@'%'`);
      const url = new URL(server.db.url);
      [url.username, url.password] = [user, 'weak'];
      const weak = await server.open({ url: url.href });
      expect(await (await lockOf(weak)).holder()).toMatchObject({ migration: 'V1__in_the_row.sql' });
      await weak.end();
    } finally {
      await server.query(`DROP USER '${user}'@'%'`);
    }
  });
});
