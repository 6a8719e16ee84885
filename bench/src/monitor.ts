import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { managePool } from 'holdfast';
import { createPoolMonitor } from 'holdfast/pool-monitor';
import { Client, Pool } from 'pg';
import { startDatabase } from './database.js';
import { POOL_SIZE } from './options.js';
import { estimate, median, shuffled } from './statistics.js';

const ROUNDS = Number(process.argv.find((arg) => /^\d+$/.test(arg)) ?? 60);
const SLICE_MS = 200;
const LEASES = 2000;

/** How a pool is watched. Each is a process of its own, for a monitor watches every pool of its process. */
const WATCHES = {
  pg: { title: 'pg alone' },
  managed: { title: 'managed, not monitored' },
  control: { title: 'managed, once more' },
  monitored: { title: 'monitored, no stacks', stacks: () => false },
  shipped: { title: 'monitored, as it comes (200 stacks a second)' },
  sampled: { title: 'monitored, stacks of 1 in 16', stacks: (count: number) => count % 16 === 0 },
  always: { title: 'monitored, every stack', stacks: () => true },
} as const satisfies Record<string, { title: string; stacks?: (count: number) => boolean }>;
type WatchId = keyof typeof WATCHES;

const WORK = {
  query: (pool: Pool) => pool.query('SELECT 1'),
  client: async (pool: Pool) => {
    const client = await pool.connect();
    try {
      await client.query('SELECT 1');
    } finally {
      client.release();
    }
  },
} as const;
type WorkId = keyof typeof WORK;

type Order = { readonly work: WorkId; readonly concurrency: number } | { readonly heap: true };

interface Result {
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly bytes: number;
}

function watch(pool: Pool, id: WatchId): void {
  if (id === 'pg') return;
  const managed = managePool(pool);
  const { stacks } = WATCHES[id] as { stacks?: (count: number) => boolean };
  if (id === 'shipped') createPoolMonitor({ server: { mode: 'off' } }).start();
  if (!stacks) return;
  createPoolMonitor({ callSitesPerSecond: 0, server: { mode: 'off' } }).start();
  let count = 0;
  managed.observe({ ignoresQueries: true, recordsCallSite: () => stacks(count++) });
}

/** A client without a connection: what is measured is what holdfast keeps of its lease. */
class IdleClient extends Client {}
Object.defineProperty(IdleClient.prototype, 'connect', {
  value: (callback: () => void) => process.nextTick(callback),
});

async function heapOf(id: WatchId): Promise<number> {
  const pool = new Pool({ Client: IdleClient, max: LEASES, idleTimeoutMillis: 0 } as object);
  watch(pool, id);
  const warm = await Promise.all(Array.from({ length: LEASES }, () => pool.connect()));
  for (const client of warm) client.release();
  const before = collected();
  // A lease as code is handed it, with all that a holder keeps alive.
  const held = await Promise.all(Array.from({ length: LEASES }, () => pool.connect()));
  const bytes = (collected() - before) / LEASES;
  for (const client of held) client.release();
  return bytes;
}

function collected(): number {
  for (let round = 0; round < 3; round++) global.gc?.();
  return process.memoryUsage().heapUsed;
}

async function worker(id: WatchId, url: string): Promise<void> {
  const pool = new Pool({ connectionString: url, max: POOL_SIZE, idleTimeoutMillis: 0 });
  const obey = async (order: Order): Promise<Result> => {
    if ('heap' in order) return { perSecond: 0, cpuMicros: 0, bytes: await heapOf(id) };
    let count = 0;
    const cpu = process.cpuUsage();
    const began = performance.now();
    const loop = async (): Promise<void> => {
      for (; performance.now() - began < SLICE_MS; count++) await WORK[order.work](pool);
    };
    await Promise.all(Array.from({ length: order.concurrency }, loop));
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    return { perSecond: count / seconds, cpuMicros: (user + system) / count, bytes: 0 };
  };
  process.on('message', (order: Order) => {
    if (!('heap' in order) && !watched) {
      watched = true;
      watch(pool, id);
    }
    obey(order).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  let watched = false;
  process.once('disconnect', () => process.exit());
}

async function ask(child: ChildProcess, order: Order): Promise<Result> {
  child.send(order);
  const [result] = (await once(child, 'message')) as [Result];
  return result;
}

async function main(): Promise<void> {
  const database = await startDatabase('postgres', { durable: false, writers: 1 });
  const ids = Object.keys(WATCHES) as WatchId[];
  const start = (id: WatchId): ChildProcess =>
    fork(__filename, [], {
      env: { ...process.env, NODE_ENV: 'production', BENCH_WATCH: id, BENCH_URL: database.url },
      execArgv: ['--expose-gc'],
    });
  console.log(
    `${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.versions.node}, pool of ${POOL_SIZE}, ${ROUNDS} rounds x ${SLICE_MS} ms`,
  );
  const children = new Map(ids.map((id) => [id, start(id)]));
  for (const work of Object.keys(WORK) as WorkId[]) {
    for (const concurrency of [1, 16]) {
      const results = new Map(ids.map((id) => [id, [] as Result[]]));
      for (let round = -5; round < ROUNDS; round++) {
        for (const id of shuffled(ids)) {
          const result = await ask(children.get(id)!, { work, concurrency });
          if (round >= 0) results.get(id)!.push(result);
        }
      }
      say(`${work}, ${concurrency} at once`, results);
    }
  }
  for (const child of children.values()) child.disconnect();
  console.log(`\n| bytes of a lease that is out | of them through holdfast |\n| --- | --: |`);
  let ofPg = 0;
  for (const id of ids.filter((each) => !['control', 'shipped', 'sampled'].includes(each))) {
    const child = start(id);
    const { bytes } = await ask(child, { heap: true });
    child.disconnect();
    if (id === 'pg') ofPg = bytes;
    console.log(`| ${WATCHES[id].title} | ${Math.round(bytes - ofPg)} |`);
  }
  console.log(`\nLoad of the machine at the end: ${loadavg()[0]?.toFixed(1)}`);
  await database.stop();
}

function say(title: string, results: ReadonlyMap<WatchId, readonly Result[]>): void {
  console.log(
    `\n| ${title} | per second | cpu, µs | throughput over managed | cpu over managed |\n| --- | --: | --: | --: | --: |`,
  );
  const base = results.get('managed')!;
  for (const [id, slices] of results) {
    const over = (pick: (result: Result) => number): string => {
      const {
        median: middle,
        low,
        high,
      } = estimate(slices.map((slice, round) => pick(slice) / pick(base[round]!)));
      return `${middle.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`;
    };
    const perSecond = Math.round(median(slices.map((slice) => slice.perSecond)));
    const cpu = median(slices.map((slice) => slice.cpuMicros)).toFixed(1);
    console.log(
      `| ${WATCHES[id].title} | ${perSecond} | ${cpu} | ${over((slice) => slice.perSecond)} | ${over((slice) => slice.cpuMicros)} |`,
    );
  }
}

const { BENCH_WATCH: id, BENCH_URL: url } = process.env;
void (id && url ? worker(id as WatchId, url) : main()).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
