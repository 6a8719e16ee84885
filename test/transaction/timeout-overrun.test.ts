import { beforeCommit, runInTransaction, type TransactionOptions } from 'holdfast';
import { systemClock } from '../../src/core/index.js';
import { until, useEntries } from './entries.js';
import { useLog } from './log.js';

const entries = useEntries();
const log = useLog();
const LIMIT_MS = 60_000;
const timeoutMs = LIMIT_MS;
const timedOut = { code: 'TRANSACTION_TIMEOUT' };

let skewMs = 0;
beforeEach(() => {
  skewMs = 0;
  const { now } = systemClock;
  jest.spyOn(systemClock, 'now').mockImplementation(() => now() + skewMs);
});
afterEach(() => jest.restoreAllMocks());

/** What a loop does that never yields: the limit passes, and no timer has its turn. */
const overrun = (): void => void (skewMs += LIMIT_MS);
const overrunAfter = (work: () => Promise<void>) => async (): Promise<void> => {
  await work();
  overrun();
};
class Expected extends Error {}

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  'the method': () =>
    runInTransaction(
      overrunAfter(() => entries.add('a')),
      { timeoutMs },
    ),
  'a method whose error commits': () =>
    runInTransaction(
      async () => {
        await entries.add('a');
        overrun();
        throw new Expected();
      },
      { timeoutMs, commitOn: Expected },
    ),
  'a before-commit hook': () =>
    runInTransaction(
      async () => {
        await entries.add('a');
        beforeCommit(overrun);
      },
      { timeoutMs },
    ),
};

test.each(Object.keys(calls))('%s that overruns its limit without a pause is rolled back', async (which) => {
  await expect(calls[which]!()).rejects.toMatchObject({
    ...timedOut,
    message: expect.stringMatching(
      /ran longer than its timeoutMs of 60000\. .* the transaction is rolled back/,
    ),
  });
  expect(await entries.committed()).toEqual([]);
  expect(entries.managed.counts()).toMatchObject({ inUse: 0, idle: 1 });
  expect(log).toMatchObject({ warnings: [], errors: [] });
});

const inner: Readonly<Record<string, TransactionOptions>> = {
  joined: { timeoutMs },
  nested: { timeoutMs, propagation: 'NESTED' },
};

describe.each(Object.keys(inner))('a %s call that overruns its own limit without a pause', (kind) => {
  test.each([
    ['returns', async () => undefined],
    [
      'throws',
      async () => {
        throw new Error('no');
      },
    ],
  ])('and %s ends the transaction as a whole', async (_, end) => {
    let told: unknown;
    const call = runInTransaction(async () => {
      await entries.add('outer');
      const work = overrunAfter(() => entries.add('inner'));
      await runInTransaction(() => work().then(end), inner[kind]).catch((error: unknown) => (told = error));
    });
    await expect(call).rejects.toMatchObject(timedOut);
    expect(told).toMatchObject(timedOut);
    expect(await entries.committed()).toEqual([]);
  });
});

test.each(['REQUIRED', 'NESTED'] as const)(
  'a limit that passes while a statement is still on its way, which a %s method did not await, counts',
  async (propagation) => {
    const holder = await entries.db.client();
    await holder.query('BEGIN; LOCK TABLE entry IN ACCESS EXCLUSIVE MODE');
    const options = { timeoutMs, propagation };
    const method = async (): Promise<void> => void entries.add('a').catch(() => undefined);
    const call =
      propagation === 'NESTED'
        ? runInTransaction(() => runInTransaction(method, options))
        : runInTransaction(method, options);
    await until(async () => {
      // Of this database: a table has the same number in all that were made from one template.
      const { rowCount } = await holder.query(
        `SELECT FROM pg_locks WHERE relation = 'entry'::regclass AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rowCount === 1;
    });
    overrun();
    await holder.query('ROLLBACK');
    await expect(call).rejects.toMatchObject(timedOut);
    expect(await entries.committed()).toEqual([]);
  },
);

test('a joined call that returned in time is not held to its limit afterwards', async () => {
  await runInTransaction(async () => {
    await runInTransaction(() => entries.add('a'), { timeoutMs });
    overrun();
  });
  expect(await entries.committed()).toEqual(['a']);
});

test('while COMMIT is on its way nothing is said to be rolled back', async () => {
  await entries.db.query(`
    CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON entry
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_for_lock()`);
  const holder = await entries.db.client();
  await holder.query('SELECT pg_advisory_lock(7)');
  const fired: (() => void)[] = [];
  const { setTimer } = systemClock;
  jest.spyOn(systemClock, 'setTimer').mockImplementation((callback, delayMs) => {
    if (delayMs === LIMIT_MS) fired.push(callback);
    return setTimer(callback, delayMs);
  });
  const call = runInTransaction(() => entries.add('a'), { timeoutMs });
  await until(async () => {
    const waiting = await holder.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT' AND wait_event_type = 'Lock'`,
    );
    return waiting.rowCount === 1;
  });
  for (const fire of fired) fire();
  const error: unknown = await call.catch((thrown: unknown) => thrown);
  await holder.query('SELECT pg_advisory_unlock(7)');

  expect(error).toMatchObject({
    code: expect.stringMatching(/^COMMIT_/),
    cause: { ...timedOut, message: expect.stringContaining('COMMIT was on its way by then') },
  });
  expect(log.warnings.length).toBeGreaterThan(0);
  expect(JSON.stringify(log)).not.toContain('rolled back');
});
