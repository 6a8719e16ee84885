import { afterCommit, runInTransaction, runOutsideTransaction } from 'holdfast';
import { rollbackPerTest } from 'holdfast/testing';
import { useDatabase } from '../harness/database.js';
import { type Entries, entriesOn } from './entries.js';

const db = useDatabase();
let entries: Entries;

beforeAll(() => {
  entries = entriesOn(db);
});

const undone = new Error('undone');
const fail = (): never => {
  throw undone;
};
const outer = <T>(work: () => Promise<T>): Promise<T> => runInTransaction(work, { name: 'Orders.place' });
const audit = (): Promise<void> =>
  runInTransaction(() => entries.add('audit'), { propagation: 'REQUIRES_NEW', name: 'Audit.write' });

const isolated = (): Promise<unknown> =>
  runInTransaction(() => entries.pool.query('SHOW transaction_isolation'), {
    isolationLevel: 'SERIALIZABLE',
    name: 'Report.build',
  });
const isolatedByHand = async (): Promise<void> => {
  const client = await entries.pool.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
    await client.query('COMMIT');
  } finally {
    client.release();
  }
};
const isolatedInASecondStatement = async (): Promise<void> => {
  const client = await entries.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE');
    await client.query('COMMIT');
  } finally {
    client.release();
  }
};
const levels = [
  ['a method', isolated],
  ['a hand-written BEGIN', isolatedByHand],
  ['SET TRANSACTION', isolatedInASecondStatement],
] as const;

describe('by default', () => {
  rollbackPerTest();

  test('REQUIRES_NEW inside a transaction is refused, by name', async () => {
    await outer(async () => {
      await entries.add('order');
      await expect(audit()).rejects.toMatchObject({
        code: 'TEST_TRANSACTION',
        message: expect.stringMatching(
          /^"Audit.write" wants to be independent of the transaction of "Orders.place"[^]*allow: \['REQUIRES_NEW'\]/,
        ),
      });
    });

    expect(await entries.list()).toEqual(['order']);
  });

  test.each([
    ['REQUIRES_NEW', audit],
    ['NOT_SUPPORTED', () => runInTransaction(() => entries.add('audit'), { propagation: 'NOT_SUPPORTED' })],
    ['runOutsideTransaction()', () => runOutsideTransaction(() => entries.add('audit'))],
  ])('%s in a transaction without a statement yet is independent of it', async (_, independent) => {
    await expect(outer(() => independent().then(fail))).rejects.toBe(undone);

    expect(await entries.list()).toEqual(['audit']);
  });

  test.each([
    ['NOT_SUPPORTED', () => runInTransaction(() => entries.add('x'), { propagation: 'NOT_SUPPORTED' })],
    ['runOutsideTransaction()', () => runOutsideTransaction(() => entries.add('x'))],
  ])('%s inside a transaction is refused', async (_, outside) => {
    await outer(async () => {
      await entries.add('order');
      await expect(outside()).rejects.toMatchObject({
        code: 'TEST_TRANSACTION',
        message: expect.stringContaining(`allow: ['NOT_SUPPORTED']`),
      });
    });

    expect(await entries.list()).toEqual(['order']);
  });

  test('work that nobody waits for runs after the transaction that started it', async () => {
    const seen: string[] = [];
    let done: Promise<void> = Promise.resolve();
    await outer(async () => {
      await entries.add('order');
      runOutsideTransaction(() => {
        done = entries.add('metrics').then(() => void seen.push('metrics'));
      });
      await entries.add('line');
      afterCommit(() => seen.push('committed'));
    });
    await done;

    expect(seen).toEqual(['committed', 'metrics']);
    expect(await entries.list()).toEqual(['order', 'line', 'metrics']);
  });

  test.each(levels)('a level of its own is refused where %s asks for it', async (_, ask) => {
    await expect(ask()).rejects.toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringMatching(
        /asks for SERIALIZABLE, and the transaction that rollbackPerTest\(\) opened runs at READ COMMITTED[^]*isolationLevel: 'SERIALIZABLE'/,
      ),
    });

    await entries.add('goes on');
    expect(await entries.list()).toEqual(['goes on']);
  });

  test('the level that it has anyway may be asked for', async () => {
    await runInTransaction(() => entries.add('one'), { isolationLevel: 'READ COMMITTED' });
    const client = await entries.pool.connect();
    await client.query('BEGIN');
    await client.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
    await client.query('COMMIT');
    client.release();

    expect(await entries.list()).toEqual(['one']);
  });
});

describe('with isolationLevel', () => {
  rollbackPerTest({ isolationLevel: 'SERIALIZABLE' });

  test.each(levels)('the level may be asked for by %s', async (_, ask) => {
    await ask();

    expect(await isolated()).toMatchObject({ rows: [{ transaction_isolation: 'serializable' }] });
  });
});

describe('with allow', () => {
  rollbackPerTest({ allow: ['ISOLATION_LEVEL', 'REQUIRES_NEW', 'NOT_SUPPORTED'] });

  test('REQUIRES_NEW is a savepoint of the transaction around it, with hooks of its own', async () => {
    const told: string[] = [];
    const audited = async (): Promise<void> => {
      await runInTransaction(
        async () => {
          await entries.add('audit');
          afterCommit(() => told.push('audited'));
        },
        { propagation: 'REQUIRES_NEW' },
      );
    };
    await outer(async () => {
      await entries.add('order');
      await audited();
      told.push('goes on');
      await entries.add('line');
    });
    expect(told).toEqual(['audited', 'goes on']);
    expect(await entries.list()).toEqual(['order', 'audit', 'line']);

    await expect(outer(() => entries.add('undone').then(audited).then(fail))).rejects.toBe(undone);
    expect(await entries.list()).toEqual(['order', 'audit', 'line']);
  });

  test('REQUIRES_NEW that fails undoes nothing of the transaction around it', async () => {
    await outer(async () => {
      await entries.add('order');
      await runInTransaction(() => entries.add('undone').then(fail), { propagation: 'REQUIRES_NEW' }).catch(
        () => undefined,
      );
    });

    expect(await entries.list()).toEqual(['order']);
  });

  test('two REQUIRES_NEW at once take turns, and statements of the transaction around them wait', async () => {
    await outer(async () => {
      await entries.add('order');
      await Promise.all([
        audit(),
        audit(),
        entries.add('line'),
        runInTransaction(() => entries.add('undone').then(fail), { propagation: 'REQUIRES_NEW' }).catch(
          () => undefined,
        ),
      ]);
    });

    expect([...(await entries.list())].sort()).toEqual(['audit', 'audit', 'line', 'order']);
  });

  test('statements outside the transaction run inside it', async () => {
    const outside = (): Promise<void> => runOutsideTransaction(() => entries.add('outside'));
    await outer(() => entries.add('order').then(outside));
    await expect(outer(() => entries.add('undone').then(outside).then(fail))).rejects.toBe(undone);

    expect(await entries.list()).toEqual(['order', 'outside']);
  });

  test.each(levels)('the level that %s asks for has no effect', async (_, ask) => {
    await ask();

    expect(await isolated()).toMatchObject({ rows: [{ transaction_isolation: 'read committed' }] });
  });
});

describe('one transaction is one transaction', () => {
  rollbackPerTest();

  test('now() stands still, clock_timestamp() does not', async () => {
    const times = async () => {
      const { rows } = await entries.pool.query<{ now: string; clock: string }>(
        'SELECT now()::text, clock_timestamp()::text AS clock',
      );
      return rows[0]!;
    };
    const [first, second] = [await times(), await times()];

    expect(second.now).toBe(first.now);
    expect(second.clock).not.toBe(first.clock);
  });

  test('SET LOCAL lasts beyond a transaction that commits, and not beyond one that rolls back', async () => {
    const tenant = async () =>
      (await entries.pool.query<{ tenant: string }>(`SELECT current_setting('app.tenant', true) AS tenant`))
        .rows[0]!.tenant;
    await outer(() => entries.pool.query(`SET LOCAL app.tenant = 'undone'`).then(fail)).catch(
      () => undefined,
    );
    expect(await tenant()).toBe('');
    await outer(() => entries.pool.query(`SET LOCAL app.tenant = 'ada'`));
    expect(await tenant()).toBe('ada');
  });

  test('what must not run in a transaction is refused by the server', async () => {
    await expect(entries.pool.query('VACUUM entry')).rejects.toMatchObject({ code: '25001' });
  });
});
