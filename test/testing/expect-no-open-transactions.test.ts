import { afterCommit, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import { mysqlWaysIn } from '../conformance/mysql-ways-in.js';
import { waysIn } from '../conformance/ways-in.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useDatabase();
const mysql = useMysqlDatabase();

test('it says nothing when no transaction runs', () => {
  expect(() => expectNoOpenTransactions()).not.toThrow();
});

test('it names each transaction that still runs, and nothing once they have ended', async () => {
  const managed = [managePool(db.pool()), managePool(db.pool(), { name: 'reports' })];
  const ends: (() => void)[] = [];
  const wait = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
  const running = [
    runInTransaction(wait, { name: 'Orders.place' }),
    runInTransaction(wait, { name: 'Reports.build', dataSource: 'reports' }),
  ];

  expect(() => expectNoOpenTransactions()).toThrow(
    /^2 transaction\(s\) still run:\n {2}"Orders\.place" \(tx-\d+\) on "default"\n {2}"Reports\.build" \(tx-\d+\) on "reports"\nAwait/,
  );
  ends.forEach((end) => end());
  await Promise.all(running);
  expect(() => expectNoOpenTransactions()).not.toThrow();
  managed.forEach(unmanagePool);
});

test('joined and nested calls are no transactions of their own', async () => {
  const managed = managePool(db.pool());
  await runInTransaction(
    async () => {
      await runInTransaction(
        async () => {
          await Promise.resolve();
          expect(() => expectNoOpenTransactions()).toThrow(/^1 transaction\(s\) still run:\n {2}"outer"/);
        },
        { propagation: 'NESTED', name: 'inner' },
      );
    },
    { name: 'outer' },
  );
  unmanagePool(managed);
});

test('a transaction whose after-commit hooks still run is over', async () => {
  const managed = managePool(db.pool());
  let told: unknown = 'not asked';
  await runInTransaction(async () => {
    afterCommit(() => {
      told = undefined;
      try {
        expectNoOpenTransactions();
      } catch (error) {
        told = error;
      }
    });
  });
  expect(told).toBeUndefined();
  unmanagePool(managed);
});

const ways = [
  ...waysIn.map(({ name, start }) => ({ name: `PostgreSQL, ${name}`, start: () => start(db) })),
  ...mysqlWaysIn.map(({ name, start }) => ({ name: `MariaDB, ${name}`, start: () => start(mysql) })),
];

test.each(ways)('it names a transaction with work in it through: $name', async ({ start }) => {
  const work = await start();
  await runInTransaction(
    async () => {
      await work.insert('one');
      expect(() => expectNoOpenTransactions()).toThrow(
        /^1 transaction\(s\) still run:\n {2}"Orders\.place" \(tx-\d+\) on "default"/,
      );
    },
    { name: 'Orders.place' },
  );
  expect(() => expectNoOpenTransactions()).not.toThrow();
  await expect(
    runInTransaction(() => work.insert('two').then(() => Promise.reject(new Error('undone')))),
  ).rejects.toThrow('undone');
  expect(() => expectNoOpenTransactions()).not.toThrow();
});
