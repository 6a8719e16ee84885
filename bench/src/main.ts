import { cpus, loadavg, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchDatabase, measureRoundTrip, startDatabase } from './database.js';
import { startDelayProxy } from './delay-proxy.js';
import { measure } from './measure.js';
import { type BenchOptions, POOL_SIZE, readBenchOptions } from './options.js';
import { cellTable, wireTable } from './report.js';
import { median, quantile, sort } from './statistics.js';
import { checkWire } from './wire-check.js';
import { Worker } from './worker-handle.js';

const say = (line = ''): void => console.log(line);

async function main(): Promise<void> {
  const options = readBenchOptions(process.argv.slice(2));
  const began = performance.now();
  const database = await startDatabase({ durable: options.durable, writers: options.variants.length });
  const proxy = await startDelayProxy(database.url);
  try {
    await sayMachine(database, options);
    const urls = { loopback: database.url, delayed: proxy.url };
    for (const link of options.links) {
      await proxy.delay(options.delayMs);
      const times = sort(await measureRoundTrip(urls[link]));
      say(
        `round trip ${link}: median ${median(times).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms`,
      );
    }
    say(`\n## What each variant sends\n\n${wireTable(await checkWire(database, options.variants))}`);
    await sayEmpty(database, options);
    const progress = (line: string): void => console.error(line);
    const measured = await measure(database, options, { urls, proxy, progress });
    for (const link of options.links) {
      for (const scenario of options.scenarios) {
        for (const concurrency of options.concurrency) {
          say(`\n## ${scenario}, ${link}, concurrency ${concurrency}\n`);
          say(cellTable({ link, scenario, concurrency }, measured));
        }
      }
    }
    say(`\nLoad of the machine at the end, the benchmark's own included: ${loadavg()[1]?.toFixed(1)}.`);
    say(`Took ${Math.round((performance.now() - began) / 1000)} s.`);
  } finally {
    proxy.stop();
    await database.stop();
  }
}

async function sayMachine({ admin }: BenchDatabase, options: BenchOptions): Promise<void> {
  const { rows } = await admin.query<{ version: string; fsync: string; commit: string }>(
    `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS commit`,
  );
  const { version, fsync, commit } = rows[0]!;
  const packages = ['pg', 'typeorm', 'typeorm-transactional', 'nestjs-cls', '@nestjs-cls/transactional'];
  const versions = packages.map((name) => `${name} ${versionOf(name)}`).join(', ');
  say(
    `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}`,
  );
  say(`PostgreSQL ${version}, ${versions}`);
  say(`fsync ${fsync}, synchronous_commit ${commit}, pool of ${POOL_SIZE}`);
  say(`${options.epochs} epochs x ${options.rounds} rounds x ${options.sliceMs} ms slices in random order`);
}

function versionOf(name: string): string {
  const file = join(process.cwd(), 'bench', 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** What a transactional method costs that sends nothing. */
async function sayEmpty(database: BenchDatabase, options: BenchOptions): Promise<void> {
  const times = options.quick ? 50_000 : 200_000;
  say();
  for (const variant of options.variants.filter((id) => id.endsWith('-ours'))) {
    const worker = await Worker.start({ variant, url: database.url, poolSize: POOL_SIZE, writer: 0 });
    await worker.order({ kind: 'empty', times });
    const { seconds } = await worker.order({ kind: 'empty', times });
    say(`a transaction without statements, ${variant}: ${((seconds / times) * 1e6).toFixed(2)} µs`);
    await worker.stop();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
