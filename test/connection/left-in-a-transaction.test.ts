import type { Pool } from 'pg';
import { managePool, runInTransaction, setLogger, unmanagePool, type ManagedPool } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { LeaseLog } from './lease-log.js';

/** Code outside of holdfast may give a connection back with its own transaction open; pg-pool lends it on as it is. */
const db = useDatabase();
let pool: Pool;
let managed: ManagedPool;
let warnings: string[];
beforeEach(() => {
  pool = db.pool({ max: 1 });
  managed = managePool(pool);
  warnings = [];
  const silent = (): void => undefined;
  setLogger({
    debug: silent,
    info: silent,
    warn: (_fields, message) => void warnings.push(message),
    error: silent,
  });
});
afterEach(async () => {
  setLogger(undefined);
  unmanagePool(managed);
  await db.truncate();
});

const pid = async (): Promise<number> => {
  const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]!.pid;
};

const ways: readonly (readonly [how: string, leave: () => Promise<unknown>])[] = [
  [
    'a client with a BEGIN and without its end',
    async () => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query("INSERT INTO entry (label) VALUES ('of a stranger')");
      client.release();
    },
  ],
  [
    'a client whose transaction has failed',
    async () => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query('SELECT 1 / 0').catch(() => undefined);
      client.release();
    },
  ],
  ["pool.query('BEGIN')", () => pool.query('BEGIN')],
];

test.each(ways)('%s: the next transaction gets another connection', async (_how, leave) => {
  const before = await pid();
  await leave();
  const log = new LeaseLog(managed);
  await runInTransaction(async () => {
    expect(await pid()).not.toBe(before);
    await pool.query("INSERT INTO entry (label) VALUES ('own')");
  });

  expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'own' }]);
  expect(managed.counts()).toMatchObject({ total: 1, idle: 1 });
  expect(log.lines).toEqual([
    'acquired transaction',
    'destroyed transaction',
    'acquired transaction',
    'returned transaction',
  ]);
  expect(warnings).toEqual([expect.stringContaining('was given back inside a transaction')]);
});

test('where every new connection is in one, the transaction is refused instead of trying for ever', async () => {
  unmanagePool(managed);
  pool = db.pool({ max: 2, onConnect: async (client) => void (await client.query('BEGIN')) });
  managed = managePool(pool);
  const refused = runInTransaction(() => pool.query("INSERT INTO entry (label) VALUES ('never')"));
  await expect(refused).rejects.toMatchObject({
    code: 'CONNECTION_LOST',
    message: expect.stringMatching(/"default".*inside a transaction/) as unknown,
  });
  expect(await db.query('SELECT label FROM entry')).toEqual([]);
});
