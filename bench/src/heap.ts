import { managePool, runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { startDatabase } from './database.js';
import { POOL_SIZE } from './options.js';
import { slope } from './statistics.js';
import { ACCOUNTS, AccountEntity, EventEntity, rawWork, typeormWork } from './workload.js';

const TOTAL = Number(process.argv.find((arg) => /^\d+$/.test(arg)) ?? 1_000_000);
const INTERVALS = 20;
const CONCURRENCY = 16;
const DATA_SOURCE = 'typeorm';

/** Of every 20 transactions: what they are, in the order in which they come. */
const MIX = [
  ...Array<Kind>(8).fill('select'),
  ...Array<Kind>(7).fill('empty'),
  ...Array<Kind>(2).fill('rolled back'),
  'inserted',
  'nested',
  'typeorm',
] as const;
type Kind = 'select' | 'empty' | 'rolled back' | 'inserted' | 'nested' | 'typeorm';

/** Runs a million transactions and tells what is left on the heap after a forced collection, at intervals. */
async function main(): Promise<void> {
  if (!global.gc) throw new Error('run it with --expose-gc');
  const database = await startDatabase('postgres', { durable: false, writers: 1 });
  const pool = new Pool({ connectionString: database.url, max: POOL_SIZE });
  managePool(pool);
  const entities = [AccountEntity, EventEntity];
  const dataSource = new DataSource({ type: 'postgres', url: database.url, poolSize: POOL_SIZE, entities });
  await dataSource.initialize();
  manageDataSource(dataSource, { name: DATA_SOURCE });

  const failure = new Error('rolled back on purpose');
  const run: Record<Kind, (number: number) => Promise<void>> = {
    select: (number) => runInTransaction(() => rawWork.select(pool, target(number))),
    empty: () => runInTransaction(async () => {}),
    inserted: () => runInTransaction(() => insert(pool)),
    'rolled back': () =>
      runInTransaction(async () => {
        await insert(pool);
        throw failure;
      }).catch((error: unknown) => {
        if (error !== failure) throw error;
      }),
    nested: () =>
      runInTransaction(async () => {
        await runInTransaction(() => insert(pool), { propagation: 'NESTED' });
        const nested = runInTransaction(
          async () => {
            await insert(pool);
            throw failure;
          },
          { propagation: 'NESTED' },
        );
        await nested.catch(() => {});
      }),
    typeorm: (number) =>
      runInTransaction(() => typeormWork['insert-update'](dataSource.manager, target(number)), {
        dataSource: DATA_SOURCE,
      }),
  };

  console.log(`${TOTAL} transactions, ${CONCURRENCY} at once, pool of ${POOL_SIZE}; of every ${MIX.length}:`);
  console.log(summary());
  const points: { x: number; y: number }[] = [];
  const began = performance.now();
  let next = 0;
  for (let interval = 1; interval <= INTERVALS; interval++) {
    const end = Math.round((TOTAL * interval) / INTERVALS);
    const loop = async (): Promise<void> => {
      while (next < end) {
        const number = next++;
        await run[MIX[number % MIX.length]!](number);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, loop));
    const heapUsed = await collectedHeap();
    points.push({ x: next, y: heapUsed });
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(
      `${String(next).padStart(9)} transactions  ${(heapUsed / 1024).toFixed(0).padStart(7)} KiB  ${seconds} s`,
    );
  }
  await checkCounts();
  // The first half fills caches and lets the compiler settle.
  const settled = points.slice(INTERVALS / 2);
  console.log(`slope of the second half: ${slope(settled).toFixed(4)} bytes per transaction`);
  await dataSource.destroy();
  await pool.end();
  await database.stop();

  async function checkCounts(): Promise<void> {
    const [found] = await database.written();
    const expected =
      (TOTAL / MIX.length) * MIX.filter((kind) => ['inserted', 'nested', 'typeorm'].includes(kind)).length;
    if (found?.events !== expected) throw new Error(`${found?.events} rows instead of ${expected}`);
    console.log(`the database holds the ${expected} rows that were committed`);
  }
}

const target = (number: number) => ({ account: number % ACCOUNTS, writer: 0 });

async function insert(pool: Pool): Promise<void> {
  await pool.query('INSERT INTO event (writer, amount) VALUES ($1, $2)', [0, 1]);
}

function summary(): string {
  const kinds = [...new Set(MIX)];
  return kinds.map((kind) => `${MIX.filter((each) => each === kind).length} ${kind}`).join(', ');
}

async function collectedHeap(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await new Promise(setImmediate);
    global.gc!();
  }
  return process.memoryUsage().heapUsed;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
