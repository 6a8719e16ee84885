import 'reflect-metadata';
import {
  afterCommit,
  beforeCommit,
  currentTransaction,
  runInTransaction,
  Transactional,
  transactional,
} from 'holdfast';
import { useLog } from './log.js';
import {
  accesses,
  caught,
  insert,
  insertOrphan,
  listen,
  NAMES,
  onBoth,
  type SourceName,
  type Sources,
  useTwoSources,
} from './two-sources.js';

const two = useTwoSources();
useLog();
let sources: Sources;
let told: string[];
const fail = (): never => {
  throw new Error('no');
};
const NOTHING = { orders: [], audit: [] };
const on = <T>(dataSource: SourceName, work: () => Promise<T>): Promise<T> =>
  runInTransaction(work, { dataSource });
const commits = (name: SourceName): number =>
  sources[name].proxy.texts.filter((text) => text === 'COMMIT').length;

describe.each(accesses)('one method over two data sources: $name', (access) => {
  beforeEach(async () => {
    sources = await two.open(access);
    told = [];
  });

  test('commits both, and a call inside finds the transaction of its own data source', async () => {
    const result = await onBoth(async () => {
      await insert(sources.orders, 'order');
      await insert(sources.audit, 'note');
      for (const name of NAMES) {
        const { id } = currentTransaction(name)!;
        await runInTransaction(async () => expect(currentTransaction()!.id).toBe(id), {
          dataSource: name,
          propagation: 'MANDATORY',
        });
        await listen(name, told);
      }
      expect(await two.committed()).toEqual(NOTHING);
      return 'done';
    });
    expect(result).toBe('done');
    expect(await two.committed()).toEqual({ orders: ['order'], audit: ['note'] });
    expect(told).toEqual([
      'orders: after commit',
      'orders: committed',
      'audit: after commit',
      'audit: committed',
    ]);
  });

  test.each(NAMES)(
    'an error after work on both rolls back both, and the hooks of %s hear of it',
    async (name) => {
      const error = await caught(
        onBoth(async () => {
          await insert(sources.orders, 'order');
          await insert(sources.audit, 'note');
          await listen(name, told);
          fail();
        }),
      );
      expect(error.message).toBe('no');
      expect(await two.committed()).toEqual(NOTHING);
      expect(told).toEqual([`${name}: after rollback`, `${name}: rolled back`]);
    },
  );

  test.each(NAMES)('only %s is asked: the other one borrows no connection', async (name) => {
    await onBoth(() => insert(sources[name], 'row'));
    const other = name === 'orders' ? 'audit' : 'orders';
    expect(await two.committed()).toEqual({ ...NOTHING, [name]: ['row'] });
    expect(sources[other].proxy.texts.filter((text) => /BEGIN|COMMIT/.test(text))).toEqual([]);
    expect(commits(name)).toBe(1);
    expect(sources[name].proxy.texts).not.toContain('SET CONSTRAINTS ALL IMMEDIATE');
  });

  /** What is known before the first COMMIT rolls back both, whichever of the two it is about. */
  test.each(
    NAMES.flatMap((name) =>
      (
        [
          [
            'a failed statement was swallowed',
            'UNEXPECTED_ROLLBACK',
            () => sources[name].query('SELECT 1/0').catch(() => undefined),
          ],
          [
            'a joined method failed, and was swallowed',
            'UNEXPECTED_ROLLBACK',
            () => on(name, async () => fail()).catch(() => undefined),
          ],
          [
            'a call inside is not awaited',
            'UNEXPECTED_ROLLBACK',
            async () => void on(name, () => new Promise(() => undefined)),
          ],
          ['a deferred constraint is broken', '23503', () => insertOrphan(sources[name])],
          [
            'a before-commit hook fails',
            'HOOK',
            () =>
              on(name, async () =>
                beforeCommit(() => Promise.reject(Object.assign(new Error('hook'), { code: 'HOOK' }))),
              ),
          ],
        ] as const
      ).map(([what, code, harm]) => ({ name, what, code, harm })),
    ),
  )('$name: $what: nothing is committed', async ({ code, harm }) => {
    const error = await caught(
      onBoth(async () => {
        await insert(sources.orders, 'order');
        await insert(sources.audit, 'note');
        for (const name of NAMES) await listen(name, told);
        await harm();
      }),
    );
    expect(error).toMatchObject({ code });
    expect(await two.committed()).toEqual(NOTHING);
    expect(told.filter((text) => text.endsWith('after rollback'))).toHaveLength(2);
    expect(told.filter((text) => text.endsWith('after commit'))).toEqual([]);
  });

  test.each(NAMES)(
    '%s loses its connection while the method does something else: nothing is committed',
    async (name) => {
      const error = await caught(
        onBoth(async () => {
          await insert(sources.orders, 'order');
          await insert(sources.audit, 'note');
          await sources[name].proxy.cut();
        }),
      );
      expect(error).toMatchObject({ code: 'CONNECTION_LOST', retryable: true });
      expect(await two.committed()).toEqual(NOTHING);
    },
  );

  test.each(NAMES)(
    'setRollbackOnly() on %s rolls back both, and the method’s value is answered',
    async (name) => {
      const value = await onBoth(async () => {
        await insert(sources.orders, 'order');
        await insert(sources.audit, 'note');
        currentTransaction(name)!.setRollbackOnly();
        return 42;
      });
      expect(value).toBe(42);
      expect(await two.committed()).toEqual(NOTHING);
    },
  );

  test('before-commit hooks of both run while both take statements', async () => {
    await onBoth(async () => {
      await insert(sources.orders, 'order');
      for (const name of NAMES)
        await on(name, async () =>
          beforeCommit(async () => {
            expect(currentTransaction()!.dataSource).toBe(name);
            await insert(sources.orders, `hook of ${name}`);
            await insert(sources.audit, `hook of ${name}`);
          }),
        );
    });
    expect(await two.committed()).toEqual({
      orders: ['order', 'hook of orders', 'hook of audit'],
      audit: ['hook of orders', 'hook of audit'],
    });
  });

  test('a hook that names no data source runs once all are committed', async () => {
    let seen: unknown;
    await onBoth(async () => {
      expect(currentTransaction()!.dataSource).toBe('audit');
      afterCommit(async () => (seen = await two.committed()));
      await insert(sources.orders, 'order');
      await insert(sources.audit, 'note');
    });
    expect(seen).toEqual({ orders: ['order'], audit: ['note'] });
  });

  test('options hold for each: isolation level and READ ONLY', async () => {
    await onBoth(
      async () => {
        for (const name of NAMES) {
          expect(currentTransaction(name)).toMatchObject({ isolationLevel: 'SERIALIZABLE', readOnly: true });
          await sources[name].query('SELECT 1');
        }
      },
      { isolationLevel: 'SERIALIZABLE', readOnly: true },
    );
    for (const name of NAMES)
      expect(sources[name].proxy.texts).toContain('BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY');
  });

  test.each([
    ['a statement', (name: SourceName) => sources[name].query(`DO $$ BEGIN RAISE SQLSTATE '40001'; END $$`)],
    [
      'the first COMMIT',
      (name: SourceName) => {
        sources[name].proxy.once(/^COMMIT$/, {
          action: 'fail',
          sqlstate: '40001',
          message: 'could not serialize',
        });
        return Promise.resolve();
      },
    ],
  ])('retry runs the whole again when %s fails, and nothing is committed twice', async (what, harm) => {
    let attempts = 0;
    await onBoth(
      async () => {
        attempts++;
        await insert(sources.orders, 'order');
        await insert(sources.audit, 'note');
        if (attempts === 1) await harm(what === 'a statement' ? 'audit' : 'orders');
      },
      { retry: { attempts: 3, backoffMs: 1 } },
    );
    expect(attempts).toBe(2);
    expect(await two.committed()).toEqual({ orders: ['order'], audit: ['note'] });
  });
});

describe('the ways to ask for it', () => {
  beforeEach(async () => (sources = await two.open(accesses[0]!)));

  class Shop {
    @Transactional({ dataSource: NAMES })
    async book(): Promise<void> {
      await insert(sources.orders, 'order');
      await insert(sources.audit, 'note');
    }
  }

  @Transactional({ dataSource: NAMES })
  class Whole {
    readonly refused: Promise<unknown>[] = [];
    async book(): Promise<number> {
      await insert(sources.orders, 'order');
      return this.help(1);
    }
    help(value: number): number {
      return value + 1;
    }
    start(name: SourceName): void {
      this.refused.push(insert(sources[name], 'late'));
    }
  }

  test('a decorated method, and a function that is wrapped', async () => {
    await new Shop().book();
    await transactional(() => new Shop().book(), { dataSource: NAMES })();
    expect(await two.committed()).toEqual({ orders: ['order', 'order'], audit: ['note', 'note'] });
  });

  test('a class: synchronous methods answer at once, and what they ask of either is refused', async () => {
    const whole = new Whole();
    expect(whole.help(1)).toBe(2);
    expect(await whole.book()).toBe(2);
    for (const name of NAMES) whole.start(name);
    for (const refused of whole.refused)
      await expect(refused).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await two.committed()).toEqual({ orders: ['order'], audit: [] });
  });

  test('one name in an array is that name', async () => {
    await runInTransaction(() => insert(sources.audit, 'note'), { dataSource: ['audit'] });
    expect(await two.committed()).toEqual({ orders: [], audit: ['note'] });
  });

  test.each<[unknown, string]>([
    [[], 'transaction options.dataSource must be a name or an array of names, each of them once.'],
    [['a', 'a'], 'transaction options.dataSource must be a name or an array of names, each of them once.'],
    [['a', ''], 'transaction options.dataSource[1] must be a non-empty string, but is "".'],
    [['a', 1], 'transaction options.dataSource[1] must be a non-empty string, but is 1.'],
  ])('%p is refused when it is given', (dataSource, message) => {
    expect(() => Transactional({ dataSource: dataSource as string[] })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message }),
    );
  });

  test('a name that nobody manages refuses the whole call', async () => {
    const work = jest.fn(async () => undefined);
    const call = runInTransaction(work, { dataSource: ['orders', 'adit'] });
    await expect(call).rejects.toMatchObject({
      code: 'UNKNOWN_DATA_SOURCE',
      message: expect.stringContaining('"adit"'),
    });
    expect(work).not.toHaveBeenCalled();
  });

  test('two that take the connections of each other’s pool are a self-deadlock, and no hang', async () => {
    let waiting = 0;
    let go: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (go = resolve));
    const call = (first: SourceName, second: SourceName): Promise<unknown> =>
      onBoth(async () => {
        await sources[first].query('SELECT 1');
        if (++waiting === 6) go();
        await all;
        await sources[second].query('SELECT 1');
      });
    const calls = await Promise.allSettled([
      ...[1, 2, 3].map(() => call('orders', 'audit')),
      ...[1, 2, 3].map(() => call('audit', 'orders')),
    ]);
    const reasons = calls.flatMap((each) => (each.status === 'rejected' ? [each.reason as Error] : []));
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) {
      expect(reason).toMatchObject({ code: 'SELF_DEADLOCK' });
      expect(reason.message).toMatch(/themselves: "Shop\.book"\. They wait for each other's pools/);
    }
  });
});
