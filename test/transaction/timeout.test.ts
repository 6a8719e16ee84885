import {
  afterCommit,
  afterCompletion,
  beforeCommit,
  currentTransaction,
  runInTransaction,
  runOutsideTransaction,
} from 'holdfast';
import { gate, until, useEntries } from './entries.js';
import { useHandLimit } from './hand-limit.js';
import { useLog } from './log.js';

const entries = useEntries();
useLog();
const limit = useHandLimit();
// The limits below are for what a method does, not for logging in to the server.
beforeEach(() => entries.pool.query('SELECT 1'));
const timedOut = { code: 'TRANSACTION_TIMEOUT', retryable: false };
const never = (): Promise<never> => new Promise(() => undefined);

/** The sessions that run a statement that matches `text` now. */
const running = (text: string) =>
  entries.db.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()`,
    [`%${text}%`],
  );

test('a statement that runs too long is cancelled on the server, and everything is rolled back', async () => {
  const call = runInTransaction(
    async () => {
      await entries.add('a');
      await entries.pool.query('SELECT pg_sleep(60)');
    },
    { timeoutMs: 150, name: 'Reports.build' },
  );
  await expect(call).rejects.toMatchObject({
    ...timedOut,
    message: expect.stringMatching(/"Reports\.build" ran longer than its timeoutMs of 150\./),
    cause: { stack: expect.stringContaining('timeout.test.ts') },
  });
  expect(await running('pg_sleep')).toEqual([]);
  expect(await entries.committed()).toEqual([]);
  expect(entries.managed.counts()).toMatchObject({ inUse: 0, pending: 0 });
});

test('a method that waits for something else is told at once, and its later statements are refused', async () => {
  const outside = gate();
  let late!: Promise<void>;
  const call = runInTransaction(
    async () => {
      await entries.add('a');
      await outside.opened;
      late = entries.add('b');
      await late;
    },
    { timeoutMs: 150 },
  );
  await expect(call).rejects.toMatchObject(timedOut);
  outside.open();
  await until(async () => late !== undefined);
  await expect(late).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED', cause: timedOut });
  expect(await entries.committed()).toEqual([]);
});

test('a method that never ends does not hold its caller or its connection', async () => {
  const call = runInTransaction(
    async () => {
      await entries.add('a');
      await never();
    },
    { timeoutMs: 150 },
  );
  await expect(call).rejects.toMatchObject(timedOut);
  expect(entries.managed.counts()).toMatchObject({ inUse: 0, idle: 1 });
});

test('an after-commit hook that never settles holds its caller, for the limit ends with COMMIT', async () => {
  let settled = false;
  const held = gate();
  const call = runInTransaction(
    async () => {
      await entries.add('a');
      afterCommit(() => held.opened);
    },
    { timeoutMs: limit.timeoutMs },
  ).finally(() => (settled = true));
  await until(async () => (await entries.committed()).length === 1);
  // Of the same limit, which would pass for the call as well.
  const late = runInTransaction(never, { timeoutMs: limit.timeoutMs }).catch((error: unknown) => error);
  limit.pass();
  expect(await late).toMatchObject(timedOut);
  expect(settled).toBe(false);
  held.open();
  await call;
});

test('the same connection serves the next caller: it was cancelled and rolled back, not thrown away', async () => {
  const pidOf = async () =>
    (await entries.pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
  let pid = 0;
  const call = runInTransaction(
    async () => {
      pid = await pidOf();
      await entries.pool.query('SELECT pg_sleep(60)');
    },
    { timeoutMs: limit.timeoutMs },
  );
  void until(async () => (await running('pg_sleep')).length === 1).then(limit.pass);
  await expect(call).rejects.toMatchObject(timedOut);
  expect(await pidOf()).toBe(pid);
});

test('a statement that waits for a lock is cancelled', async () => {
  const holder = await entries.db.client();
  await holder.query('BEGIN; LOCK TABLE entry IN ACCESS EXCLUSIVE MODE');
  const call = runInTransaction(() => entries.add('a'), { timeoutMs: 150 });
  await expect(call).rejects.toMatchObject(timedOut);
  await holder.query('ROLLBACK');
  expect(await entries.committed()).toEqual([]);
  expect(entries.managed.counts()).toMatchObject({ inUse: 0 });
});

test('a call that waits for a connection is told, and the connection it gets too late goes back', async () => {
  const clients = await Promise.all(Array.from({ length: 5 }, () => entries.pool.connect()));
  let refused: unknown;
  const call = runInTransaction(() => entries.add('a').catch((error) => (refused = error)), {
    timeoutMs: 30,
  });
  await expect(call).rejects.toMatchObject(timedOut);
  expect(entries.managed.counts()).toMatchObject({ pending: 1 });

  for (const client of clients) client.release();
  await until(async () => refused !== undefined);
  expect(refused).toMatchObject({ code: 'TRANSACTION_CLOSED' });
  expect(entries.managed.counts()).toMatchObject({ inUse: 0, pending: 0 });
  expect(await entries.committed()).toEqual([]);
});

test('a before-commit hook that hangs is ended', async () => {
  const call = runInTransaction(
    async () => {
      await entries.add('a');
      beforeCommit(never);
    },
    { timeoutMs: 150 },
  );
  await expect(call).rejects.toMatchObject(timedOut);
  expect(await entries.committed()).toEqual([]);
});

test('rollback hooks run, commit hooks do not', async () => {
  const committed = jest.fn();
  const completed = jest.fn();
  const call = runInTransaction(
    async () => {
      afterCommit(committed);
      afterCompletion(completed);
      await never();
    },
    { timeoutMs: 10 },
  );
  await expect(call).rejects.toMatchObject(timedOut);
  expect(committed).not.toHaveBeenCalled();
  expect(completed.mock.calls).toEqual([['rolled back', expect.objectContaining(timedOut)]]);
});

describe('on a joined method', () => {
  test('it ends the transaction as a whole; both callers are told', async () => {
    let inner: unknown;
    const call = runInTransaction(
      async () => {
        await entries.add('a');
        await runInTransaction(() => entries.pool.query('SELECT pg_sleep(60)'), {
          timeoutMs: 150,
          name: 'Stock.take',
        }).catch((error: unknown) => (inner = error));
      },
      { name: 'Orders.place' },
    );
    await expect(call).rejects.toMatchObject({
      ...timedOut,
      message: expect.stringContaining('"Stock.take"'),
    });
    expect(inner).toMatchObject(timedOut);
    expect(await running('pg_sleep')).toEqual([]);
    expect(await entries.committed()).toEqual([]);
  });

  test('that returned in time it ends nothing', async () => {
    await runInTransaction(async () => {
      await runInTransaction(() => entries.add('a'), { timeoutMs: limit.timeoutMs });
      expect(limit.pass).toThrow('no call runs with this limit');
      await entries.add('b');
    });
    expect(await entries.committed()).toEqual(['a', 'b']);
  });
});

describe('on a nested method', () => {
  test('it ends the transaction as a whole; both callers are told', async () => {
    let inner: unknown;
    const call = runInTransaction(async () => {
      await entries.add('a');
      await runInTransaction(() => entries.pool.query('SELECT pg_sleep(60)'), {
        timeoutMs: 150,
        propagation: 'NESTED',
      }).catch((error: unknown) => (inner = error));
    });
    await expect(call).rejects.toMatchObject(timedOut);
    expect(inner).toMatchObject(timedOut);
    expect(await running('pg_sleep')).toEqual([]);
    expect(await entries.committed()).toEqual([]);
  });

  test('an outer limit ends it while it runs', async () => {
    const call = runInTransaction(
      () => runInTransaction(() => entries.pool.query('SELECT pg_sleep(60)'), { propagation: 'NESTED' }),
      { timeoutMs: 150 },
    );
    await expect(call).rejects.toMatchObject(timedOut);
    expect(entries.managed.counts()).toMatchObject({ inUse: 0, idle: 1 });
  });
});

test('a limit on REQUIRES_NEW ends that transaction alone', async () => {
  await runInTransaction(async () => {
    await entries.add('outer');
    const call = runInTransaction(() => entries.pool.query('SELECT pg_sleep(60)'), {
      propagation: 'REQUIRES_NEW',
      timeoutMs: 150,
    });
    await expect(call).rejects.toMatchObject(timedOut);
    await entries.add('still outer');
  });
  expect(await entries.committed()).toEqual(['outer', 'still outer']);
});

test('after the end it does nothing more, whatever becomes of the connection', async () => {
  await runInTransaction(() => entries.add('a'), { timeoutMs: limit.timeoutMs });
  expect(limit.pass).toThrow('no call runs with this limit');
  expect(await entries.committed()).toEqual(['a']);
});

test('it counts for each attempt of a retry anew', async () => {
  let attempt = 0;
  await runInTransaction(
    async () => {
      attempt += 1;
      await entries.pool.query('SELECT pg_sleep(0.03)');
      if (attempt < 3) throw new Error('again');
      await entries.add('a');
    },
    { timeoutMs: 2000, retry: { attempts: 3, backoffMs: 1, on: () => true } },
  );
  expect(await entries.committed()).toEqual(['a']);
});

test('currentTransaction() is undefined once it has fired', async () => {
  const seen = gate();
  let late: unknown = 'not asked';
  const call = runInTransaction(
    async () => {
      await seen.opened;
      late = currentTransaction();
    },
    { timeoutMs: 10 },
  );
  await expect(call).rejects.toMatchObject(timedOut);
  seen.open();
  await until(async () => late !== 'not asked');
  expect(late).toBeUndefined();
});

test('work that was moved outside with runOutsideTransaction() is not ended', async () => {
  const fired = gate();
  let background!: Promise<void>;
  const call = runInTransaction(
    async () => {
      runOutsideTransaction(() => {
        background = fired.opened.then(() => entries.add('background'));
      });
      await never();
    },
    { timeoutMs: 10 },
  );
  await expect(call).rejects.toMatchObject(timedOut);
  fired.open();
  await background;
  expect(await entries.committed()).toEqual(['background']);
});
