import { cpus, loadavg, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchDatabase, measureRoundTrip, startDatabase } from './database.js';
import { startDelayProxy } from './delay-proxy.js';
import { measure } from './measure.js';
import { type BenchOptions, POOL_SIZE, readBenchOptions } from './options.js';
import { cellTable, wireTable } from './report.js';
import { median, quantile, sort } from './statistics.js';
import { type Comparison, type ComparisonId, COMPARISONS, VARIANTS } from './variants.js';
import { checkWire } from './wire-check.js';
import { Worker } from './worker-handle.js';

const say = (line = ''): void => console.log(line);

async function main(): Promise<void> {
  const options = readBenchOptions(process.argv.slice(2));
  const began = performance.now();
  sayMachine(options);
  for (const [comparison, variants] of options.variants) await compare(comparison, { variants, options });
  say(`\nLoad of the machine at the end, the benchmark's own included: ${loadavg()[1]?.toFixed(1)}.`);
  say(`Took ${Math.round((performance.now() - began) / 1000)} s.`);
}

function sayMachine(options: BenchOptions): void {
  const packages = [
    'pg',
    'mysql2',
    'typeorm',
    '@prisma/client',
    'typeorm-transactional',
    'nestjs-cls',
    '@nestjs-cls/transactional',
  ];
  say(
    `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}`,
  );
  say(packages.map((name) => `${name} ${versionOf(name)}`).join(', '));
  say(`pool of ${POOL_SIZE}`);
  say(`${options.epochs} epochs x ${options.rounds} rounds x ${options.sliceMs} ms slices in random order`);
}

async function compare(
  comparison: ComparisonId,
  { variants, options }: { variants: readonly string[]; options: BenchOptions },
): Promise<void> {
  const { title, database: kind, baseline, concurrency: usual }: Comparison = COMPARISONS[comparison];
  const concurrency = options.concurrency ?? usual;
  const database = await startDatabase(kind, { durable: options.durable, writers: variants.length });
  const proxy = await startDelayProxy(database.url);
  try {
    say(`\n# ${title}\n\n${await database.describe()}`);
    const urls = { loopback: database.url, delayed: proxy.url };
    for (const link of options.links) {
      await proxy.delay(options.delayMs);
      const times = sort(await measureRoundTrip(database, urls[link]));
      say(
        `round trip ${link}: median ${median(times).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms`,
      );
    }
    say(`\n## What each variant sends\n\n${wireTable(await checkWire(database, variants))}`);
    await sayEmpty(database, { variants, options });
    const progress = (line: string): void => console.error(line);
    const measured = await measure(database, {
      variants,
      baseline,
      concurrency,
      options,
      urls,
      proxy,
      progress,
    });
    for (const link of options.links) {
      for (const scenario of options.scenarios) {
        for (const atOnce of concurrency) {
          say(`\n## ${title}: ${scenario}, ${link}, concurrency ${atOnce}\n`);
          say(cellTable({ link, scenario, concurrency: atOnce }, measured));
        }
      }
    }
  } finally {
    proxy.stop();
    await database.stop();
  }
}

function versionOf(name: string): string {
  const file = join(process.cwd(), 'bench', 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** What a transactional method costs that sends nothing. */
async function sayEmpty(
  database: BenchDatabase,
  { variants, options }: { variants: readonly string[]; options: BenchOptions },
): Promise<void> {
  const times = options.quick ? 50_000 : 200_000;
  say();
  for (const variant of variants.filter((id) => VARIANTS[id]!.holdfast)) {
    const worker = await Worker.start({ variant, url: database.url, poolSize: POOL_SIZE, writer: 0 });
    await worker.order({ kind: 'empty', times });
    const { seconds } = await worker.order({ kind: 'empty', times });
    say(
      `a transaction without statements, ${VARIANTS[variant]!.title}: ${((seconds / times) * 1e6).toFixed(2)} µs`,
    );
    await worker.stop();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
