import type { Database, MigrationSession } from '../../../src/migrations/database/session.js';
import { createLock } from '../../../src/migrations/locks/create-lock.js';
import type { MigrationLock } from '../../../src/migrations/locks/lock.js';
import { failureOf, MYSQL_DRIVERS, type Server, useServer } from '../database/drivers.js';

const HISTORY = { format: 'holdfast', table: 'history', schema: undefined } as const;
const NOBODY = { waitMs: 0, onWaiting: () => {} };

const lockOn = (database: Database, session: MigrationSession): Promise<MigrationLock> =>
  createLock({ database, session, history: HISTORY, kind: 'session', leaseMs: 1000 });

/** A session that has the lock, and one of a user without rights that asks for it. */
async function contend(server: Server, user: string) {
  const session = await server.open();
  const database = await server.database();
  const lock = await lockOn(database, session);
  await lock.acquire(NOBODY);
  const weak = await openAs(server, user);
  return { session, lock, weak, theirs: await lockOn(database, weak) };
}

function openAs(server: Server, user: string): Promise<MigrationSession> {
  const url = new URL(server.db.url);
  [url.username, url.password] = [user, 'weak'];
  return server.open({ url: url.href });
}

describe('a PostgreSQL user that may not see or end the sessions of others', () => {
  const server = useServer('pg');
  const role = `weak_${process.pid}`;
  beforeAll(() => server.query(`CREATE ROLE ${role} LOGIN PASSWORD 'weak'`));
  afterAll(() => server.query(`DROP ROLE ${role}`));

  test('is told whose session has the lock, as far as it may know, and which right is missing to end it', async () => {
    const { session, lock, weak, theirs } = await contend(server, role);
    expect(await failureOf(theirs.acquire(NOBODY))).toMatchObject({
      code: 'LOCK_BUSY',
      holder: { backendId: session.backendId },
    });
    expect(await failureOf(theirs.forceUnlock())).toMatchObject({
      code: 'MISSING_RIGHTS',
      message: expect.stringContaining('pg_signal_backend'),
    });
    await lock.assertHeld();
    await weak.end();
  });
});

describe.each(MYSQL_DRIVERS)('a MySQL user that may not see or end the sessions of others (%s)', (driver) => {
  const server = useServer(driver);
  const user = `weak_${driver}_${process.pid}`;
  beforeAll(async () => {
    await server.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'weak'`);
    const [row] = await server.query<{ name: string }>('SELECT DATABASE() AS name');
    await server.query(`GRANT SELECT ON \`${row!.name}\`.* TO '${user}'@'%'`);
  });
  afterAll(() => server.query(`DROP USER '${user}'@'%'`));

  test('is told who has the lock by the table that says so, and which right is missing to end it', async () => {
    const { session, lock, weak, theirs } = await contend(server, user);
    await lock.announce('V1__x.sql');
    expect(await failureOf(theirs.acquire(NOBODY))).toMatchObject({
      code: 'LOCK_BUSY',
      holder: { backendId: session.backendId, pid: process.pid, migration: 'V1__x.sql' },
    });
    expect(await failureOf(theirs.forceUnlock())).toMatchObject({
      code: 'MISSING_RIGHTS',
      message: expect.stringContaining('CONNECTION ADMIN'),
    });
    await lock.assertHeld();
    await weak.end();
  });

  test('knows whether read_only spares it', async () => {
    await server.query('SET GLOBAL read_only = 1');
    try {
      const strong = await server.open();
      const weak = await openAs(server, user);
      expect([strong.server.isReadOnly, weak.server.isReadOnly]).toEqual([false, true]);
      await weak.end();
    } finally {
      await server.query('SET GLOBAL read_only = 0');
    }
  });
});
