import type { Clock } from '../../../src/core/index.js';
import type { LockBusyError } from '../../../src/migrations/errors.js';
import { createLock, type CreateLockOptions } from '../../../src/migrations/locks/create-lock.js';
import type { LockHolder, MigrationLock } from '../../../src/migrations/locks/lock.js';
import { ManualClock } from '../../../src/testing/index.js';
import { failureOf, statements, DRIVERS, useServer } from '../database/drivers.js';

const HISTORY = { format: 'holdfast', table: 'history', schema: undefined } as const;
const NOBODY = { waitMs: 0, onWaiting: () => {} };
const THIS_PROCESS = { pid: process.pid, host: expect.any(String) };

const GRID = DRIVERS.flatMap((driver) => [[driver, 'session'] as const, [driver, 'lease'] as const]);

describe.each(GRID)('on %s, a lock of kind %s', (driver, kind) => {
  const server = useServer(driver);
  const made: MigrationLock[] = [];
  afterEach(async () => {
    for (const lock of made.splice(0)) await lock.release();
  });

  /** A deployer with a session and a lock of its own. */
  async function deployer(options: Partial<CreateLockOptions> & { clock?: Clock } = {}) {
    const database = await server.database();
    const session = await server.open();
    const lock = await createLock({ database, session, history: HISTORY, kind, leaseMs: 30_000, ...options });
    made.push(lock);
    return { session, lock };
  }

  test('is had by one at a time, and again after its release', async () => {
    const [first, second] = [await deployer(), await deployer()];
    expect(await first.lock.holder()).toBeUndefined();
    await first.lock.acquire(NOBODY);
    await first.lock.assertHeld();
    expect(await failureOf(second.lock.acquire(NOBODY))).toMatchObject({
      code: 'LOCK_BUSY',
      retryable: true,
    });
    await first.lock.release();
    expect(await first.lock.holder()).toBeUndefined();
    await second.lock.acquire(NOBODY);
    await second.lock.assertHeld();
    expect(await failureOf(first.lock.assertHeld())).toMatchObject({ code: 'LOCK_LOST' });
  });

  test('of another history is another lock', async () => {
    const [first, second] = [
      await deployer(),
      await deployer({ history: { ...HISTORY, table: 'another_history' } }),
    ];
    await first.lock.acquire(NOBODY);
    await second.lock.acquire(NOBODY);
    await expect(Promise.all([first.lock.assertHeld(), second.lock.assertHeld()])).resolves.toHaveLength(2);
  });

  test('tells those who wait who has it, and what that runs now', async () => {
    const [first, second] = [await deployer(), await deployer()];
    await first.lock.acquire(NOBODY);
    await first.lock.announce('V1__one two.sql');
    const seen: (LockHolder | undefined)[] = [];
    let told = (): void => {};
    const waiting = second.lock.acquire({
      waitMs: 60_000,
      onWaiting: (holder) => {
        seen.push(holder);
        told();
      },
    });
    const next = (): Promise<void> => new Promise((resolve) => (told = resolve));
    await next();
    expect(seen[0]).toMatchObject({ ...THIS_PROCESS, migration: 'V1__one two.sql' });
    expect(Math.abs(seen[0]!.since!.getTime() - Date.now())).toBeLessThan(60_000);
    const changed = next();
    await first.lock.announce('V2__x.sql');
    await changed;
    expect(seen[1]).toMatchObject({ migration: 'V2__x.sql' });
    await first.lock.release();
    await waiting;
    expect(await first.lock.holder()).toMatchObject(THIS_PROCESS);
    expect((await first.lock.holder())!.migration).toBeUndefined();
  });

  test('says in its refusal who has it', async () => {
    const [first, second] = [await deployer(), await deployer()];
    await first.lock.acquire(NOBODY);
    await first.lock.announce('V1__x.sql');
    const error = await failureOf<LockBusyError>(second.lock.acquire({ waitMs: 1, onWaiting: () => {} }));
    expect(error.holder).toMatchObject({ ...THIS_PROCESS, migration: 'V1__x.sql' });
    expect(error.message).toMatch(new RegExp(`process ${process.pid}.* since .*applying V1__x\\.sql`));
  });

  test('is waited for as long as was asked, by the clock that was given', async () => {
    const clock = new ManualClock();
    const first = await deployer();
    await first.lock.acquire(NOBODY);
    const second = await deployer({ clock });
    let asked = 0;
    let waiting!: Promise<Error>;
    const start = clock.now();
    await new Promise<void>((resolve) => {
      waiting = failureOf(
        second.lock.acquire({
          waitMs: 10_000,
          onWaiting: () => {
            asked++;
            resolve();
          },
        }),
      );
    });
    let over = false;
    void waiting.then(() => (over = true));
    while (!over) {
      clock.advance(100);
      await new Promise(setImmediate);
    }
    expect(await waiting).toMatchObject({ code: 'LOCK_BUSY' });
    expect(clock.now() - start).toBeGreaterThanOrEqual(10_000);
    expect(asked).toBe(1);
  });

  test('is waited for no longer when the run is interrupted', async () => {
    const [first, second] = [await deployer(), await deployer()];
    await first.lock.acquire(NOBODY);
    const stop = new AbortController();
    const waiting = second.lock.acquire({
      waitMs: 60_000,
      signal: stop.signal,
      onWaiting: () => stop.abort(),
    });
    expect(await failureOf(waiting)).toMatchObject({ code: 'MIGRATION_INTERRUPTED', effect: 'rolled back' });
  });

  test('is had once by ten who begin at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => deployer()));
    const results = await Promise.allSettled(all.map(({ lock }) => lock.acquire(NOBODY)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(
      results
        .map((result) => (result.status === 'rejected' ? (result.reason as { code: string }).code : 'had'))
        .sort(),
    ).toEqual([...Array<string>(9).fill('LOCK_BUSY'), 'had']);
  });

  test('is lost, and free, when its session is ended', async () => {
    const [first, second] = [await deployer(), await deployer()];
    await first.lock.acquire(NOBODY);
    await server.query(
      driver === 'pg'
        ? `SELECT pg_terminate_backend(${first.session.backendId})`
        : `KILL ${first.session.backendId}`,
    );
    while (!first.session.lost) await new Promise(setImmediate);
    expect(await failureOf(first.lock.assertHeld())).toMatchObject({ code: 'LOCK_LOST' });
    if (kind === 'lease') await first.lock.release();
    await second.lock.acquire({ waitMs: 20_000, onWaiting: () => {} });
    await first.lock.announce('V1__x.sql');
    await second.lock.assertHeld();
  });

  test('can be taken away, and whoever had it is told', async () => {
    const [first, second] = [await deployer(), await deployer()];
    expect(await second.lock.forceUnlock()).toBeUndefined();
    await first.lock.acquire(NOBODY);
    await first.lock.announce('V1__x.sql');
    expect(await second.lock.forceUnlock()).toMatchObject({
      holder: { ...THIS_PROCESS, migration: 'V1__x.sql' },
      isCutOff: true,
    });
    await second.lock.acquire({ waitMs: 20_000, onWaiting: () => {} });
    expect(await failureOf(first.lock.assertHeld())).toMatchObject({ code: 'LOCK_LOST' });
    await second.lock.assertHeld();
  });

  test('holds in the middle of a transaction, and of one that failed it is still released', async () => {
    const { lock, session } = await deployer();
    await lock.acquire(NOBODY);
    await session.query('BEGIN');
    await lock.announce('V1__x.sql');
    await lock.assertHeld();
    await failureOf(session.run(statements('SELECT nope')));
    await session.query('ROLLBACK');
    await lock.assertHeld();
    await lock.release();
    await lock.release();
    expect(await lock.holder()).toBeUndefined();
  });
});
