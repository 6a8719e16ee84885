import { afterCommit, afterRollback, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { startMysqlPool } from '../conformance/mysql-pools.js';
import { mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { failureOf } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { committed, Entries } from './entries.js';
import { InnerTest } from './inner-test.js';

const first = useDatabase();
const second = useDatabase();
const mysql = useMysqlDatabase();

type Name = 'orders' | 'audit';
const BOTH: readonly Name[] = ['orders', 'audit'];

interface Source {
  add(label: string): Promise<void>;
  list(): Promise<string[]>;
  /** What is there for everybody. */
  committed(): Promise<string[]>;
}
type Start = (name: Name, clock: ManualClock) => Source;

const postgres =
  (db: typeof first): Start =>
  (name, clock) => {
    const pool = db.pool();
    const managed = managePool(pool, { name, clock });
    db.defer(() => unmanagePool(managed));
    const entries = new Entries(pool);
    return {
      add: (label) => entries.add(label),
      list: () => entries.list(),
      committed: () => committed(db),
    };
  };

const mariadb: Start = (name) => {
  const { pool } = startMysqlPool(mysql, { name });
  return {
    add: async (label) => void (await pool.query('INSERT INTO entry (label) VALUES (?)', [label])),
    list: async () => {
      const [rows] = await pool.query('SELECT label FROM entry ORDER BY id');
      return (rows as { label: string }[]).map(({ label }) => label);
    },
    committed: () => mysqlLabelsIn(mysql),
  };
};

const pairs: readonly (readonly [string, Record<Name, Start>])[] = [
  ['PostgreSQL and PostgreSQL', { orders: postgres(first), audit: postgres(second) }],
  ['PostgreSQL and MariaDB', { orders: postgres(first), audit: mariadb }],
  ['MariaDB and PostgreSQL', { orders: mariadb, audit: postgres(second) }],
];

describe.each(pairs)('%s', (_, start) => {
  let clock: ManualClock;
  let orders: Source;
  let audit: Source;
  let inner: InnerTest;
  beforeEach(async () => {
    clock = new ManualClock();
    orders = start.orders('orders', clock);
    audit = start.audit('audit', clock);
    inner = new InnerTest();
    await inner.begin();
  });
  const endOfTest = async (): Promise<string[][]> => {
    await inner.end();
    return Promise.all([orders.committed(), audit.committed()]);
  };
  const undone = new Error('undone');
  const writeBoth = async (): Promise<void> => {
    await orders.add('order');
    await audit.add('audit');
  };
  const seen = (): Promise<string[][]> => Promise.all([orders.list(), audit.list()]);

  test('each has a transaction of its own: both are rolled back at the end', async () => {
    await writeBoth();
    await runInTransaction(writeBoth, { dataSource: 'orders' });
    await expect(
      runInTransaction(() => writeBoth().then(() => Promise.reject(undone)), { dataSource: 'audit' }),
    ).rejects.toBe(undone);

    expect(await seen()).toEqual([
      ['order', 'order', 'order'],
      ['audit', 'audit'],
    ]);
    expect(await endOfTest()).toEqual([[], []]);
  });

  test('one method over both is kept, or undone, on both, and tells its hooks', async () => {
    const told: string[] = [];
    const book = (fail: boolean): Promise<void> =>
      runInTransaction(
        async () => {
          await writeBoth();
          afterCommit(() => told.push('committed'));
          afterRollback(() => told.push('rolled back'));
          if (fail) throw undone;
        },
        { dataSource: BOTH },
      );
    await book(false);
    await expect(book(true)).rejects.toBe(undone);

    expect(told).toEqual(['committed', 'rolled back']);
    expect(await seen()).toEqual([['order'], ['audit']]);
    expect(await endOfTest()).toEqual([[], []]);
  });

  test('a NESTED call over both is undone on both', async () => {
    await runInTransaction(
      async () => {
        await writeBoth();
        const nested = runInTransaction(() => writeBoth().then(() => Promise.reject(undone)), {
          dataSource: BOTH,
          propagation: 'NESTED',
        });
        await expect(nested).rejects.toBe(undone);
      },
      { dataSource: BOTH },
    );

    expect(await seen()).toEqual([['order'], ['audit']]);
    expect(await endOfTest()).toEqual([[], []]);
  });

  test('a transaction on one inside that of the other is independent of it', async () => {
    const keep = (): Promise<void> => runInTransaction(() => audit.add('kept'), { dataSource: 'audit' });
    await expect(
      runInTransaction(
        () =>
          orders
            .add('undone')
            .then(keep)
            .then(() => Promise.reject(undone)),
        {
          dataSource: 'orders',
        },
      ),
    ).rejects.toBe(undone);

    expect(await seen()).toEqual([[], ['kept']]);
    expect(await endOfTest()).toEqual([[], []]);
  });

  test('calls over both at once take turns', async () => {
    await Promise.all([1, 2, 3].map(() => runInTransaction(writeBoth, { dataSource: BOTH })));

    expect(await seen()).toEqual([
      ['order', 'order', 'order'],
      ['audit', 'audit', 'audit'],
    ]);
    expect(await endOfTest()).toEqual([[], []]);
  });

  test('only those that are named are rolled back', async () => {
    await inner.end();
    await new InnerTest({ dataSource: BOTH[0]! }).run(() =>
      runInTransaction(writeBoth, { dataSource: BOTH }),
    );

    expect(await Promise.all([orders.committed(), audit.committed()])).toEqual([[], ['audit']]);
    await Promise.all([second.truncate(), mysql.truncate()]);
  });
});

test('two calls at once that ask the data sources in opposite order wait for each other until turnTimeoutMs, and are told by whom', async () => {
  const clock = new ManualClock();
  const orders = postgres(first)('orders', clock);
  const audit = postgres(second)('audit', clock);
  const begun: (() => void)[] = [];
  const bothHaveBegun = Promise.all([1, 2].map(() => new Promise<void>((resolve) => begun.push(resolve))));
  const call = (name: string, [one, other]: readonly [Source, Source]): Promise<void> =>
    runInTransaction(
      async () => {
        await one.add(name);
        begun.pop()!();
        await bothHaveBegun;
        await other.add(name);
      },
      { dataSource: BOTH, name },
    );
  await new InnerTest({ turnTimeoutMs: 3000 }).run(async () => {
    const book = failureOf(call('Shop.book', [orders, audit]));
    const sync = failureOf(call('Shop.sync', [audit, orders]));
    await bothHaveBegun;
    // Their turns are asked for some microtasks after the statements.
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(3000);

    expect(await book).toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringMatching(/^"Shop.book" waited 3000 ms for its turn behind "Shop.sync"/),
    });
    expect(await sync).toMatchObject({ code: 'TEST_TRANSACTION' });
    expect(await Promise.all([orders.list(), audit.list()])).toEqual([[], []]);
  });
});
