import { CommitOutcomeUnknownError, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();

/** What a transaction can do besides writing rows: the server gives it no id, and the work is COMMIT's all the same. */
const rowless: [string, string, RegExp][] = [
  [
    'NOTIFY',
    "NOTIFY orders, 'placed'",
    /It wrote no row, so only a NOTIFY or work on a foreign server can be lost/,
  ],
  ['a function that notifies', "SELECT pg_notify('orders', 'placed')", /Its transaction id was not learnt/],
];

test.each(rowless)(
  'the connection drops at COMMIT after %s: the caller is not told that it is done',
  async (_, sql, advice) => {
    const proxy = await db.proxy();
    const pool = db.pool({ connectionString: proxy.url(db.url) });
    const managed = managePool(pool);
    db.defer(() => unmanagePool(managed));
    proxy.once(/^COMMIT$/, { action: 'cut-before' });

    const failure: unknown = await runInTransaction(() => pool.query(sql)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CommitOutcomeUnknownError);
    expect((failure as Error).message).toMatch(advice);
    expect(failure).toMatchObject({ transactionId: undefined, retryable: false });
  },
);
