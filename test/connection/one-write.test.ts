import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import type { Client, Pool, PoolClient } from 'pg';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let pool: Pool;
let writes: number[];

afterEach(() => db.truncate());

beforeEach(async () => {
  pool = db.pool({ max: 1 });
  const managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
  const client = (await pool.connect()) as PoolClient & Client;
  const { stream } = (client as unknown as { connection: { stream: NodeJS.WritableStream } }).connection;
  const write = stream.write.bind(stream) as (bytes: Uint8Array) => boolean;
  writes = [];
  Object.assign(stream, { write: (bytes: Uint8Array) => (writes.push(bytes.length), write(bytes)) });
  client.release();
});

test('a statement leaves in one write, and takes BEGIN and what else is due along', async () => {
  await runInTransaction(async () => {
    await pool.query('INSERT INTO entry (label) VALUES ($1)', ['a']);
    expect(writes).toHaveLength(1);
    await pool.query('UPDATE entry SET label = $1 WHERE label = $2', ['b', 'a']);
    expect(writes).toHaveLength(2);
  });
  expect(writes).toHaveLength(3);
  expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'b' }]);
});

test('a large value is not copied, and arrives whole', async () => {
  const large = Buffer.alloc(1_000_000, 'x').toString();
  await runInTransaction(() => pool.query('INSERT INTO entry (label) VALUES ($1)', [large]));
  expect(Math.max(...writes)).toBeGreaterThan(1_000_000);
  expect(writes.length).toBeGreaterThan(2);
  expect(await db.query('SELECT length(label) FROM entry')).toEqual([{ length: 1_000_000 }]);
});

test('a value that cannot be sent leaves the connection in order', async () => {
  const unsendable = {
    toPostgres(): never {
      throw new Error('no such value');
    },
  };
  const failing = runInTransaction(() => pool.query('INSERT INTO entry (label) VALUES ($1)', [unsendable]));
  await expect(failing).rejects.toThrow('no such value');
  expect(await runInTransaction(async () => (await pool.query('SELECT 1 AS one')).rows)).toEqual([
    { one: 1 },
  ]);
});
