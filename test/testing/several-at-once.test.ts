import { afterCommit, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { ManualClock, rollbackPerTest } from 'holdfast/testing';
import { failureOf } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { committed, type Entries, entriesOn } from './entries.js';
import { InnerTest } from './inner-test.js';

const db = useDatabase();

/** A promise that is settled from outside, and says when somebody waits for it. */
class Gate {
  open!: () => void;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}

const running = (text: string): Promise<unknown[]> =>
  db.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query = $1`,
    [text],
  );

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

describe('inside one test', () => {
  let entries: Entries;
  beforeEach(() => {
    // However long a turn takes here, it is not too long.
    entries = entriesOn(db, { clock: new ManualClock() });
  });
  rollbackPerTest();

  test('transactions at once take turns, in the order of their first statements', async () => {
    const order: string[] = [];
    const transfer = (name: string): Promise<void> =>
      runInTransaction(async () => {
        await entries.add(`${name} begins`);
        order.push(`${name} begins`);
        await entries.add(`${name} ends`);
        order.push(`${name} ends`);
        afterCommit(() => order.push(`${name} committed`));
      });
    await Promise.all(['one', 'two', 'three'].map(transfer));

    expect(order.filter((step) => !step.endsWith('committed'))).toEqual([
      'one begins',
      'one ends',
      'two begins',
      'two ends',
      'three begins',
      'three ends',
    ]);
    expect(await entries.list()).toHaveLength(6);
  });

  test('one that fails undoes nothing of another', async () => {
    const transfer = (label: string): Promise<void> =>
      runInTransaction(async () => {
        await entries.add(`${label} 1`);
        await entries.add(`${label} 2`);
        if (label === 'two') throw new Error('no');
      });
    await Promise.allSettled(['one', 'two', 'three'].map(transfer));

    expect(await entries.list()).toEqual(['one 1', 'one 2', 'three 1', 'three 2']);
  });

  test('nobody sees half of the work of another', async () => {
    const half = new Gate();
    const transfer = runInTransaction(async () => {
      await entries.add('first half');
      half.open();
      await entries.add('second half');
    });
    await half.opened;

    expect(await entries.list()).toEqual(['first half', 'second half']);
    await transfer;
  });

  test('a hundred statements and transactions at once end', async () => {
    await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        n % 2 ? entries.add(`${n}`) : runInTransaction(() => entries.add(`${n}`)),
      ),
    );

    expect(await entries.list()).toHaveLength(100);
  });
});

test('a statement that waits for itself is refused after turnTimeoutMs, with both names', async () => {
  const clock = new ManualClock();
  const entries = entriesOn(db, { clock });
  const test = new InnerTest({ turnTimeoutMs: 3000 });
  await test.run(async () => {
    const client = await entries.pool.connect();
    await client.query('BEGIN');
    const beside = entries.add('beside').catch((error: unknown) => error);
    // Its turn is asked for some microtasks after the statement.
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(2999);
    clock.advance(1);
    expect(await beside).toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringMatching(
        /^"a statement outside a transaction" waited 3000 ms for its turn behind "a hand-written BEGIN"/,
      ),
      cause: expect.objectContaining({ message: '"a hand-written BEGIN" was asked for here' }),
    });
    await client.query('COMMIT');
    client.release();
    await entries.add('goes on');
    expect(await entries.list()).toEqual(['goes on']);
  });
});

describe('a test that ends while work of it still runs', () => {
  test('waits for what ends by itself', async () => {
    const entries = entriesOn(db);
    let audited: Promise<void> | undefined;
    await new InnerTest().run(async () => {
      audited = runInTransaction(async () => {
        await entries.add('one');
        await entries.pool.query('SELECT pg_sleep(0.05)');
        await entries.add('two');
      });
    });

    await expect(audited).resolves.toBeUndefined();
    expect(await committed(db)).toEqual([]);
  });

  test('cancels what does not, rolls back, refuses the rest of it, and fails with its name', async () => {
    const entries = entriesOn(db);
    const test = new InnerTest({ graceMs: 20 });
    await test.begin();
    const order = runInTransaction(
      async () => {
        await entries.add('one');
        await entries.pool.query('SELECT pg_sleep(60)').catch(() => undefined);
        await entries.add('two');
      },
      { name: 'Orders.place' },
    );
    const audit = runInTransaction(() => entries.add('three'), { name: 'Audit.write' });
    const ends = Promise.allSettled([order, audit]);
    await until(async () => (await running('SELECT pg_sleep(60)')).length === 1);

    await expect(test.end()).rejects.toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringMatching(/^The test ended while "Orders.place", "Audit.write" still ran/),
      cause: expect.objectContaining({ message: '"Orders.place" was asked for here' }),
    });
    expect(await ends).toMatchObject([
      { reason: { code: 'TEST_TRANSACTION', message: expect.stringContaining('test in which') } },
      { reason: { code: 'TEST_TRANSACTION', message: expect.stringContaining('test in which') } },
    ]);
    expect(await running('SELECT pg_sleep(60)')).toEqual([]);
    expect(await committed(db)).toEqual([]);
  });

  test('whose method idles in its transaction: the same', async () => {
    const entries = entriesOn(db);
    const test = new InnerTest({ graceMs: 20 });
    const gate = new Gate();
    const begun = new Gate();
    await test.begin();
    const order = runInTransaction(
      async () => {
        await entries.add('one');
        begun.open();
        await gate.opened;
        await entries.add('two');
      },
      { name: 'Orders.place' },
    );
    await begun.opened;
    await expect(test.end()).rejects.toThrow('The test ended while "Orders.place" still ran');
    gate.open();

    await expect(order).rejects.toMatchObject({ code: 'TEST_TRANSACTION' });
    expect(await committed(db)).toEqual([]);
  });

  test('whose method has sent no statement yet: it is waited for', async () => {
    const entries = entriesOn(db);
    let audited: Promise<void> | undefined;
    await new InnerTest().run(async () => {
      audited = runInTransaction(async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await entries.add('one');
      });
    });

    await expect(audited).resolves.toBeUndefined();
    expect(await committed(db)).toEqual([]);
  });

  test('whose method has sent no statement when the grace is over: none of it reaches the next test, or is kept', async () => {
    const entries = entriesOn(db);
    const test = new InnerTest({ graceMs: 20 });
    const gate = new Gate();
    const refusals: unknown[] = [];
    const add = async (label: string): Promise<void> => {
      await gate.opened;
      refusals.push(await failureOf(entries.add(label)));
    };
    await test.begin();
    const order = failureOf(runInTransaction(() => add('one'), { name: 'Orders.place' }));
    await expect(test.end()).rejects.toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringMatching(/^The test ended while "Orders.place" still ran/),
    });
    await test.run(async () => {
      gate.open();
      await until(async () => refusals.length === 1);
      expect(await entries.list()).toEqual([]);
    });

    expect(await order).toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringMatching(/^The test in which "Orders.place" was called is over/),
    });
    expect(refusals).toEqual([expect.objectContaining({ code: 'TRANSACTION_CLOSED' })]);
    expect(await committed(db)).toEqual([]);
  });

  describe('and leaves fake timers in place', () => {
    beforeEach(() => {
      jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    test('the same, for what waits for one of them in its transaction', async () => {
      const entries = entriesOn(db);
      const test = new InnerTest({ graceMs: 20 });
      const begun = new Gate();
      await test.begin();
      const order = failureOf(
        runInTransaction(
          async () => {
            await entries.add('one');
            begun.open();
            await new Promise((resolve) => setTimeout(resolve, 10));
          },
          { name: 'Orders.place' },
        ),
      );
      await begun.opened;

      await expect(test.end()).rejects.toThrow('The test ended while "Orders.place" still ran');
      expect(await order).toMatchObject({ code: 'TEST_TRANSACTION' });
      await test.run(async () => expect(await entries.list()).toEqual([]));
    });

    test('a BEGIN by hand is told of them, and every further statement refused', async () => {
      const entries = entriesOn(db);
      const test = new InnerTest({ graceMs: 20 });
      await test.begin();
      const client = await entries.pool.connect();
      await client.query('BEGIN');

      await expect(test.end()).rejects.toThrow('with fake timers in place');
      await expect(test.begin()).rejects.toThrow('with fake timers in place');
      await expect(entries.add('two')).rejects.toThrow('with fake timers in place');
      await client.query('ROLLBACK');
      client.release();
      forgetRefusal();
    });
  });

  test('leaves nothing to the next one', async () => {
    const entries = entriesOn(db);
    const test = new InnerTest({ graceMs: 1 });
    await test.begin();
    const client = await entries.pool.connect();
    await client.query('BEGIN');
    await client.query(`INSERT INTO entry (label) VALUES ('lost')`);
    await expect(test.end()).rejects.toThrow('"a hand-written BEGIN" still ran');

    await test.run(async () => {
      expect(await entries.list()).toEqual([]);
      await entries.add('one');
    });
    await expect(client.query('COMMIT')).rejects.toMatchObject({ code: 'TEST_TRANSACTION' });
    client.release();
    expect(await committed(db)).toEqual([]);
  });
});

describe('two tests at once', () => {
  test('are refused, and so is every further statement', async () => {
    const entries = entriesOn(db);
    const test = new InnerTest();
    await test.begin();
    await entries.add('one');
    await expect(test.begin()).rejects.toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringContaining('a second test while the first still ran'),
    });

    await expect(entries.add('two')).rejects.toThrow('a second test while the first still ran');
    await expect(runInTransaction(() => entries.add('two'))).rejects.toThrow('a second test');
    await test.end();
    await expect(test.begin()).rejects.toThrow('a second test while the first still ran');
    await expect(entries.add('three')).rejects.toThrow('a second test while the first still ran');
    expect(await committed(db)).toEqual([]);
    forgetRefusal();
  });

  test('a second call for one test is told apart', async () => {
    const entries = entriesOn(db);
    const [test, again] = [new InnerTest(), new InnerTest()];
    await test.begin();
    await expect(again.begin()).rejects.toThrow('rollbackPerTest() was called twice for one test');
    await expect(entries.add('one')).rejects.toThrow('rollbackPerTest() was called twice for one test');
    expect(await committed(db)).toEqual([]);
    forgetRefusal();
  });
});

/** In a test run the refusal lasts to the end of the process. */
function forgetRefusal(): void {
  (globalThis as { [key: symbol]: { sharing: unknown } })[Symbol.for('holdfast.sharing/1')]!.sharing =
    undefined;
}

describe('several data sources', () => {
  test('are all rolled back, each in a transaction of its own', async () => {
    const [entries, audit] = [entriesOn(db), entriesOn(db, { name: 'audit' })];
    await new InnerTest().run(async () => {
      await entries.add('order');
      await runInTransaction(() => audit.add('audit'), { dataSource: 'audit' });
      expect([await entries.list(), await audit.list()]).toEqual([['order'], ['audit']]);
    });

    expect(await committed(db)).toEqual([]);
  });

  test('only those that are named', async () => {
    const [entries, audit] = [entriesOn(db), entriesOn(db, { name: 'audit' })];
    await new InnerTest({ dataSource: 'default' }).run(async () => {
      await entries.add('order');
      await audit.add('audit');
    });

    expect(await committed(db)).toEqual(['audit']);
    await db.truncate();
  });

  test('a name that nobody has is told, where statements ran on another', async () => {
    const entries = entriesOn(db);
    const test = new InnerTest({ dataSource: ['reports'] });
    const run = test.run(() => entries.add('kept'));

    await expect(run).rejects.toThrow(
      'names "reports", which nobody manages, and statements of the test ran on "default" without being rolled back',
    );
    await db.truncate();
  });

  test('the same name on another database inside one test is refused', async () => {
    const first = managePool(db.pool());
    const test = new InnerTest();
    await test.begin();
    await runInTransaction(async () => void (await (first.native as Entries['pool']).query('SELECT 1')));
    unmanagePool(first);
    const other = db.pool({ connectionString: db.url.replace(/\/[^/]*$/, '/postgres') });
    const second = managePool(other);

    await expect(other.query('SELECT 1')).rejects.toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringContaining('"default" led to another database before'),
    });
    await test.end();
    unmanagePool(second);
  });
});
