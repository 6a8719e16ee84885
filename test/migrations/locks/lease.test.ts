import { Pool } from 'pg';
import type { LockHolder } from '../../../src/migrations/locks/lock.js';
import { createLock, type CreateLockOptions } from '../../../src/migrations/locks/create-lock.js';
import { LeaseLock } from '../../../src/migrations/locks/lease-lock.js';
import { ManualClock } from '../../../src/testing/index.js';
import { DRIVERS, failureOf, useServer } from '../database/drivers.js';

const HISTORY = { format: 'holdfast', table: 'history', schema: undefined } as const;
const NOBODY = { waitMs: 0, onWaiting: () => {} };

describe.each(DRIVERS)('a lease on %s', (driver) => {
  const server = useServer(driver);
  const made: LeaseLock[] = [];
  afterEach(async () => {
    for (const lock of made.splice(0)) await lock.release();
    await server.query('DELETE FROM holdfast_migration_lock');
  });

  async function deployer(options: Partial<CreateLockOptions> & { url?: string } = {}) {
    const { url, ...rest } = options;
    const database = await server.database(url === undefined ? {} : { url });
    const session = await server.open(url === undefined ? {} : { url });
    const lock = await createLock({
      database,
      session,
      history: HISTORY,
      kind: 'lease',
      leaseMs: 30_000,
      ...rest,
    });
    if (!(lock instanceof LeaseLock)) throw new Error('It is no lease.');
    made.push(lock);
    return { session, lock };
  }

  /** As if the server's clock had gone on so far. */
  const letExpire = (): Promise<unknown> =>
    server.query(
      driver === 'pg'
        ? "UPDATE holdfast_migration_lock SET expires = clock_timestamp() - interval '1 ms'"
        : 'UPDATE holdfast_migration_lock SET expires = UTC_TIMESTAMP(6) - INTERVAL 1000 MICROSECOND',
    );
  const expires = async (): Promise<string> =>
    (
      await server.query<{ at: string }>(
        `SELECT CAST(expires AS char(40)) AS at FROM holdfast_migration_lock`,
      )
    )[0]!.at;

  test('that has run out is taken over with a higher token, and nobody else is asked', async () => {
    const [first, second, third] = [await deployer(), await deployer(), await deployer()];
    await first.lock.acquire(NOBODY);
    await letExpire();
    expect(await third.lock.holder()).toBeUndefined();
    await second.lock.acquire(NOBODY);
    expect(second.lock.fencingToken).toBe(first.lock.fencingToken! + 1);
    expect(await failureOf(first.lock.assertHeld())).toMatchObject({ code: 'LOCK_LOST' });
    // What the first one does now is nothing to the second.
    await first.lock.announce('V1__old.sql');
    await first.lock.release();
    await second.lock.assertHeld();
    expect(((await third.lock.holder()) as LockHolder).migration).toBeUndefined();
    await second.lock.release();
    await third.lock.acquire(NOBODY);
    expect(third.lock.fencingToken).toBe(first.lock.fencingToken! + 2);
  });

  test('that has run out and was taken by nobody is still ours, and stays so until we have committed', async () => {
    const [first, second] = [await deployer(), await deployer()];
    await first.lock.acquire(NOBODY);
    await server.query('CREATE TABLE done (id int)');
    await first.session.query('BEGIN');
    await first.session.query('INSERT INTO done VALUES (1)');
    await first.lock.assertHeld();
    await expect(server.query('SELECT token FROM holdfast_migration_lock FOR UPDATE NOWAIT')).rejects.toThrow(
      /lock/i,
    );
    // It expires between the check and the COMMIT; the row is locked, so this waits for it as well.
    const expired = letExpire();
    let taken = false;
    const taking = second.lock.acquire({ waitMs: 30_000, onWaiting: () => {} }).then(() => (taken = true));
    await server.query('SELECT 1');
    expect(taken).toBe(false);
    await first.session.query('COMMIT');
    await Promise.all([expired, taking]);
    expect(await failureOf(first.lock.assertHeld())).toMatchObject({ code: 'LOCK_LOST' });
    await server.query('DROP TABLE done');
  });

  test('beats while a long statement keeps the session busy, three times in its life', async () => {
    const clock = new ManualClock();
    const { lock, session } = await deployer({ clock, leaseMs: 3000 });
    await lock.acquire(NOBODY);
    const before = await expires();
    const gate = await server.open();
    const waits =
      driver === 'pg' ? 'SELECT pg_advisory_lock(4711)' : `SELECT GET_LOCK('beats ${process.pid}', 60)`;
    await gate.query(waits);
    const busy = session.query(waits);
    clock.advance(999);
    expect(await expires()).toBe(before);
    clock.advance(1);
    let now = before;
    while (now === before) now = await expires();
    let isBusy = true;
    void busy.then(() => (isBusy = false));
    await new Promise(setImmediate);
    expect(isBusy).toBe(true);
    // The next one is set once this one was answered.
    for (let again = now; again === now; again = await expires()) clock.advance(1000);
    await gate.end();
    await busy;
    await lock.release();
    clock.advance(10_000);
    expect(await lock.holder()).toBeUndefined();
  });

  test('outlives the connection of its heartbeat', async () => {
    const proxy = await server.db.proxy();
    const clock = new ManualClock();
    const url = proxy.url(server.db.url);
    const database = await server.database({ url });
    const { lock } = await deployer({ clock, leaseMs: 3000, database });
    await lock.acquire(NOBODY);
    await proxy.cut();
    const before = await expires();
    let now = before;
    while (now === before) {
      // The first beat may only find out that its connection is gone.
      clock.advance(1000);
      for (let asked = 0; asked < 50 && now === before; asked++) now = await expires();
    }
    await lock.assertHeld();
    await lock.release();
    expect(await lock.holder()).toBeUndefined();
  });

  test('that is taken away ends the session that works under it, and no other', async () => {
    const [first, second] = [await deployer(), await deployer()];
    await first.lock.acquire(NOBODY);
    expect(await second.lock.holder()).toMatchObject({ backendId: first.session.backendId });
    const working = failureOf(
      first.session.query(driver === 'pg' ? 'SELECT pg_sleep(60)' : 'SELECT SLEEP(60)'),
    );
    expect(await second.lock.forceUnlock()).toMatchObject({
      holder: { pid: process.pid },
      isCutOff: true,
    });
    await working;
    expect(first.session.lost).toBeDefined();
    await second.lock.acquire(NOBODY);

    // An id that is another session's by now.
    const third = await deployer();
    await server.query("UPDATE holdfast_migration_lock SET backend_mark = 'of another'");
    expect(await third.lock.forceUnlock()).toMatchObject({ isCutOff: false });
    expect(await third.lock.holder()).toBeUndefined();
    expect(await second.session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await failureOf(second.lock.assertHeld())).toMatchObject({ code: 'LOCK_LOST' });
  });

  test('needs no table before somebody has locked', async () => {
    const { lock } = await deployer();
    await server.query('DROP TABLE IF EXISTS holdfast_migration_lock');
    expect(await lock.holder()).toBeUndefined();
    expect(await lock.forceUnlock()).toBeUndefined();
    await lock.acquire(NOBODY);
    await lock.assertHeld();
  });

  test('creates its table once when ten begin on an empty database', async () => {
    await server.query('DROP TABLE IF EXISTS holdfast_migration_lock');
    const all = await Promise.all(Array.from({ length: 10 }, () => deployer()));
    const results = await Promise.allSettled(all.map(({ lock }) => lock.acquire(NOBODY)));
    const codes = results.map((each) =>
      each.status === 'rejected' ? (each.reason as { code: string }).code : 'had',
    );
    expect(codes.sort()).toEqual([...Array<string>(9).fill('LOCK_BUSY'), 'had']);
  });
});

describe('a lease on a pool', () => {
  const server = useServer('pg');
  test('that has one connection is refused with the reason, and is free again', async () => {
    const pool = new Pool({ connectionString: server.db.url, max: 1 });
    const database = await server.database({ pool });
    const session = await database.open();
    const lock = await createLock({ database, session, history: HISTORY, kind: 'lease', leaseMs: 300 });
    expect(await failureOf(lock.acquire(NOBODY))).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      message: expect.stringContaining('needs a second connection'),
    });
    expect(await lock.holder()).toBeUndefined();
    await session.end();
    // The request for it stood in the pool's queue still; what came of it was given back.
    await pool.query('SELECT 1');
    await pool.end();
  });
});
