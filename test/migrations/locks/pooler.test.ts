import { createLock } from '../../../src/migrations/locks/create-lock.js';
import { detectPooler } from '../../../src/migrations/locks/detect-pooler.js';
import { DRIVERS, failureOf, useServer } from '../database/drivers.js';
import { type PoolMode, startPgbouncer } from '../../harness/pgbouncer.js';

const HISTORY = { format: 'holdfast', table: 'history', schema: undefined } as const;
const NOBODY = { waitMs: 0, onWaiting: () => {} };

describe('behind a pooler', () => {
  const server = useServer('pg');
  const through = async (mode: PoolMode, size: number): Promise<string> => {
    const pooler = await startPgbouncer(server.db.url, { mode, size });
    server.db.defer(() => pooler.close());
    return pooler.url;
  };

  test.each<[PoolMode, number, boolean]>([
    ['transaction', 1, true],
    ['transaction', 3, true],
    ['session', 3, false],
  ])(
    'in %s mode with %i sessions it is found, and whether sessions are shared: %s',
    async (mode, size, shared) => {
      const url = await through(mode, size);
      const session = await server.open({ url });
      expect(await detectPooler(await server.database({ url }), session)).toEqual({
        found: true,
        sharesSessions: shared,
      });
    },
  );

  test('in transaction mode a lock on the session is refused, and a lease holds', async () => {
    const url = await through('transaction', 3);
    const database = await server.database({ url });
    const [first, second] = [await server.open({ url }), await server.open({ url })];
    const parts = { database, history: HISTORY, leaseMs: 30_000 };
    const ofSession = await createLock({ ...parts, session: first, kind: 'session' });
    expect(await failureOf(ofSession.acquire(NOBODY))).toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining("lock: { kind: 'lease' }"),
    });
    const mine = await createLock({ ...parts, session: first, kind: 'lease' });
    const theirs = await createLock({ ...parts, session: second, kind: 'lease' });
    await mine.acquire(NOBODY);
    expect(await failureOf(theirs.acquire(NOBODY))).toMatchObject({ code: 'LOCK_BUSY' });
    await first.query('BEGIN');
    await mine.assertHeld();
    await first.query('COMMIT');
    await mine.release();
    await theirs.acquire(NOBODY);
    await theirs.release();
  });

  test('in session mode a lock on the session holds', async () => {
    const url = await through('session', 3);
    const session = await server.open({ url });
    const database = await server.database({ url });
    const lock = await createLock({ database, session, history: HISTORY, kind: 'session', leaseMs: 1000 });
    await lock.acquire(NOBODY);
    await lock.assertHeld();
    expect(await lock.holder()).toMatchObject({ backendId: session.backendId });
    await lock.release();
  });
});

describe.each(DRIVERS)('without a pooler on %s', (driver) => {
  const server = useServer(driver);
  test('none is found', async () => {
    const session = await server.open();
    expect(await detectPooler(await server.database(), session)).toEqual({
      found: false,
      sharesSessions: false,
    });
  });
});
