import { type BenchDatabase, checkWork } from './database.js';
import type { DelayProxy } from './delay-proxy.js';
import { type BenchOptions, POOL_SIZE } from './options.js';
import { shuffled } from './statistics.js';
import type { Link } from './variants.js';
import { Worker } from './worker-handle.js';
import type { Scenario } from './workload.js';

/** One question that is asked of every variant. */
export interface Cell {
  readonly link: Link;
  readonly scenario: Scenario;
  readonly concurrency: number;
}

export interface Measured {
  readonly cell: Cell;
  readonly variant: string;
  /** Transactions per second, one of each slice. */
  readonly throughput: number[];
  /** Processor time of the client's process, in microseconds per transaction, one of each slice. */
  readonly cpuMicros: number[];
  /** Throughput over the baseline's in the same round, one of each round. */
  readonly ratios: number[];
  readonly latencies: number[];
}

export type Progress = (line: string) => void;

export interface Measuring {
  readonly variants: readonly string[];
  /** The variant that the throughput of the others is divided by. */
  readonly baseline: string;
  readonly concurrency: readonly number[];
  readonly options: BenchOptions;
  readonly urls: Readonly<Record<Link, string>>;
  readonly proxy: DelayProxy;
  readonly progress: Progress;
}

/**
 * Measures every variant in every cell, each variant in a process of its own, one at a time in short slices in
 * random order, so that whatever disturbs the machine disturbs all of them alike.
 */
export async function measure(
  database: BenchDatabase,
  { variants, baseline, concurrency, options, urls, proxy, progress }: Measuring,
): Promise<Measured[]> {
  const results = new Map<string, Measured>();
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    for (const link of options.links) {
      await database.reset();
      progress(`epoch ${epoch} of ${options.epochs}, ${link}`);
      const execArgv = options.cpuProfile ? ['--cpu-prof', `--cpu-prof-dir=${options.cpuProfile}`] : [];
      const workers: Worker[] = [];
      for (const [writer, variant] of variants.entries()) {
        const start = { variant, url: urls[link], poolSize: POOL_SIZE, writer };
        workers.push(await Worker.start(start, execArgv));
      }
      await warmUp(workers, options, proxy);
      for (const scenario of options.scenarios) {
        for (const atOnce of concurrency) {
          await measureCell(workers, { link, scenario, concurrency: atOnce }, { baseline, options, results });
        }
      }
      const written = await checkWork(database, workers);
      progress(`  the database holds all ${written} INSERT + UPDATE that were reported`);
      await Promise.all(workers.map((worker) => worker.stop()));
    }
  }
  return [...results.values()];
}

/** Lets every process compile its hot paths. Without the delay, which would leave it hardly a transaction to learn from. */
async function warmUp(workers: readonly Worker[], options: BenchOptions, proxy: DelayProxy): Promise<void> {
  await proxy.delay(0);
  for (const scenario of options.scenarios) {
    for (const worker of shuffled(workers)) {
      await worker.order({
        kind: 'slice',
        scenario,
        concurrency: 8,
        forMs: 0,
        atLeast: options.warmUp,
      });
    }
  }
  await proxy.delay(options.delayMs);
}

async function measureCell(
  workers: readonly Worker[],
  cell: Cell,
  {
    baseline,
    options,
    results,
  }: Pick<Measuring, 'baseline' | 'options'> & { results: Map<string, Measured> },
): Promise<void> {
  const { scenario, concurrency } = cell;
  for (const worker of shuffled(workers)) {
    await worker.order({ kind: 'slice', scenario, concurrency, forMs: options.sliceMs });
  }
  for (let round = 0; round < options.rounds; round++) {
    const inRound = new Map<string, number>();
    for (const worker of shuffled(workers)) {
      const order = { kind: 'slice', scenario, concurrency, forMs: options.sliceMs } as const;
      const { transactions, seconds, cpuSeconds, latencies } = await worker.order(order);
      inRound.set(worker.variant, transactions / seconds);
      const measured = resultOf(results, cell, worker.variant);
      measured.cpuMicros.push((cpuSeconds / transactions) * 1e6);
      measured.latencies.push(...latencies);
    }
    for (const [variant, throughput] of inRound) {
      const measured = resultOf(results, cell, variant);
      measured.throughput.push(throughput);
      const ofBaseline = inRound.get(baseline);
      if (ofBaseline) measured.ratios.push(throughput / ofBaseline);
    }
  }
}

function resultOf(results: Map<string, Measured>, cell: Cell, variant: string): Measured {
  const key = [cell.link, cell.scenario, cell.concurrency, variant].join('/');
  let measured = results.get(key);
  if (!measured) {
    measured = { cell, variant, throughput: [], cpuMicros: [], ratios: [], latencies: [] };
    results.set(key, measured);
  }
  return measured;
}
