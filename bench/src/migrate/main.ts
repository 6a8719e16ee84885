import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { estimate, median, shuffled } from '../statistics.js';
import { type Job, largeFile, oneFile, smallFiles } from './jobs.js';
import { type DatabaseKind, DBMATE, filesOf, type Program, PROGRAMS } from './programs.js';
import { type Run, runCommand } from './run-command.js';
import { type BenchServer, startServer } from './servers.js';
import { measureStatus } from './status.js';

const JOBS: readonly Job[] = [smallFiles, oneFile(50_000), largeFile(20e6), largeFile(200e6)];

interface Options {
  readonly rounds: number;
  readonly jobs: readonly string[] | undefined;
  /** Beginnings of titles. */
  readonly programs: readonly string[] | undefined;
  readonly databases: readonly DatabaseKind[];
  readonly durable: boolean;
}

/** Whole processes on empty databases, in turns: each round runs every program once, in random order. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      migrate: { type: 'boolean' },
      rounds: { type: 'string', default: '7' },
      jobs: { type: 'string' },
      programs: { type: 'string' },
      databases: { type: 'string', default: 'postgres,mysql' },
      durable: { type: 'boolean', default: false },
    },
  });
  const options: Options = {
    rounds: Number(values.rounds),
    jobs: values.jobs?.split(',').map(jobOf),
    programs: values.programs?.split(','),
    databases: values.databases.split(',').map(databaseOf),
    durable: values.durable,
  };
  console.log(`${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.versions.node}`);
  for (const database of options.databases) await measureOn(database, options);
  console.log(`\nLoad of the machine at the end, the benchmark's own included: ${loadavg()[1]?.toFixed(1)}.`);
}

function databaseOf(name: string): DatabaseKind {
  if (name === 'postgres' || name === 'mysql') return name;
  throw new Error(`--databases takes postgres and mysql (which is MariaDB), not ${name}.`);
}

function jobOf(name: string): string {
  const known = [...JOBS.map((job) => job.name), 'status'];
  if (known.includes(name)) return name;
  throw new Error(`--jobs takes ${known.join(', ')}, not ${name}.`);
}

async function measureOn(
  database: DatabaseKind,
  { rounds, jobs, programs: asked, durable }: Options,
): Promise<void> {
  const server = await startServer(database, { durable });
  try {
    console.log(`\n# ${await server.version()}`);
    for (const job of JOBS) {
      if (jobs && !jobs.includes(job.name)) continue;
      const isAsked = ({ title }: Program): boolean => asked?.some((name) => title.startsWith(name)) ?? true;
      const programs = PROGRAMS.filter(
        (each) =>
          each.database === database && each.jobs.includes(job.name) && isAsked(each) && isThere(each),
      );
      const isLarge = job.name.startsWith('large');
      const runs = await measureJob(server, { job, programs, rounds: isLarge ? 1 : rounds });
      console.log(`\n## ${job.title}\n`);
      console.log(isLarge ? memoryTable(runs) : timeTable(runs));
    }
    if (!jobs || jobs.includes('status'))
      console.log(`\n## status\n\n${await measureStatus(server, { database, rounds })}`);
  } finally {
    await server.stop();
  }
}

/** The databases' own clients come with no npm package, and dbmate's binary is installed for one platform. */
function isThere(program: Program): boolean {
  const client = { psql: 'psql', 'mariadb client': 'mariadb', dbmate: DBMATE }[program.title];
  if (client === undefined || spawnSync(client, ['--version']).status === 0) return true;
  console.log(
    `\n${program.title} was not found; for the floor, on Debian: apt install postgresql-client mariadb-client`,
  );
  return false;
}

async function measureJob(
  server: BenchServer,
  { job, programs, rounds }: { job: Job; programs: readonly Program[]; rounds: number },
): Promise<Map<Program, Run[]>> {
  const runs = new Map<Program, Run[]>(programs.map((program) => [program, []]));
  const root = join(tmpdir(), `holdfast-bench-migrate-${process.pid}`);
  const files = new Map<Program, readonly string[]>();
  for (const [index, program] of programs.entries())
    files.set(program, await filesOf(program, job, join(root, String(index))));
  // The first round warms the server and the file cache, and does not count.
  for (let round = rounds > 1 ? 0 : 1; round <= rounds; round++) {
    for (const program of shuffled(programs)) {
      const folder = join(root, String(programs.indexOf(program)));
      const url = await server.create();
      const run = await runCommand(program.prepare({ folder, files: files.get(program)!, url, job }));
      for (const [table, expected] of Object.entries(job.rows)) {
        const found = await server.count(url, table);
        if (found !== expected)
          throw new Error(`${program.title} left ${found} rows in ${table}, not ${expected}`);
      }
      if (round > 0) runs.get(program)!.push(run);
    }
  }
  rmSync(root, { recursive: true, force: true });
  return runs;
}

function timeTable(runs: Map<Program, Run[]>): string {
  const [floor] = runs.values();
  const rows = [...runs].map(([{ title }, of]) => {
    const ratios = of.map(({ seconds }, round) => seconds / floor![round]!.seconds);
    const { median: ratio, low, high } = estimate(ratios);
    const seconds = median(of.map((run) => run.seconds));
    return `| ${title} | ${seconds.toFixed(2)} | ${ratio.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}) |`;
  });
  return ['| program | s | ratio to the first (95 % interval) |', '| --- | ---: | ---: |', ...rows].join(
    '\n',
  );
}

function memoryTable(runs: Map<Program, Run[]>): string {
  const rows = [...runs].map(
    ([{ title }, [run]]) => `| ${title} | ${run!.seconds.toFixed(1)} | ${run!.peakMb.toFixed(0)} |`,
  );
  return ['| program | s | peak memory, MB |', '| --- | ---: | ---: |', ...rows].join('\n');
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
