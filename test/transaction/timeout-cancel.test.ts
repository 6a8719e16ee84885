import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import { useDatabase } from '../harness/database.js';

/**
 * A cancel request names a connection, not a statement, and travels on a connection of its own. One that arrives
 * late would end whatever the connection does by then, for somebody else.
 */
const db = useDatabase();
const timedOut = { code: 'TRANSACTION_TIMEOUT' };
const never = (): Promise<never> => new Promise(() => undefined);

test('a limit that passes while no statement runs never cancels a statement of the next borrower', async () => {
  const pool = db.pool({ max: 1 });
  const managed = managePool(pool);
  try {
    for (let round = 0; round < 20; round++) {
      const call = runInTransaction(
        async () => {
          await pool.query('SELECT 1');
          await never();
        },
        { timeoutMs: 5 },
      );
      const next = pool.query('SELECT pg_sleep(0.02)');
      await expect(call).rejects.toMatchObject(timedOut);
      await expect(next).resolves.toMatchObject({ rowCount: 1 });
    }
    expectNoOpenTransactions();
  } finally {
    unmanagePool(managed);
  }
});

test('a limit that passes as a statement ends never cancels a statement of the next borrower', async () => {
  const pool = db.pool({ max: 1 });
  const managed = managePool(pool);
  try {
    for (let round = 0; round < 20; round++) {
      const call = runInTransaction(
        async () => {
          await pool.query('SELECT pg_sleep($1)', [0.0085 + 0.00015 * round]);
          await never();
        },
        { timeoutMs: 10 },
      );
      const next = pool.query('SELECT pg_sleep(0.02)');
      await expect(call).rejects.toMatchObject(timedOut);
      await expect(next).resolves.toMatchObject({ rowCount: 1 });
    }
    expectNoOpenTransactions();
  } finally {
    unmanagePool(managed);
  }
});
