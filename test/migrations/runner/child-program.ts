import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { MigrationEvent, MigratorOptions, UpResult } from '../../../src/migrations/index.js';
import { installedPackage } from '../../harness/installed-package.js';

/** Reads the options of a migrator, runs `up`, and tells events and result, a line of JSON each. */
const PROGRAM = `
const [door, given] = process.argv.slice(1);
const { createMigrator } = require(door);
const tell = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
const migrator = createMigrator({ ...JSON.parse(given), onEvent: (event) => tell({ event }) });
migrator.up().then(
  (result) => tell({ result, peakKb: process.resourceUsage().maxRSS }),
  (error) => { tell({ error: { name: error.name, message: error.message, effect: error.effect } }); process.exitCode = 1; },
).finally(() => migrator.close());
`;

/** The migrator as JavaScript: a process that is to be killed needs no compiler of its own. */
export function useChildProgram(): { up(options: MigratorOptions): Child } {
  const children: ChildProcess[] = [];
  const door = join(installedPackage(), 'dist/cjs/migrations/index.js');
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  return {
    up(options) {
      const child = spawn(process.execPath, ['-e', PROGRAM, door, JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      return new Child(child);
    },
  };
}

interface Outcome {
  readonly result?: UpResult;
  /** The most memory that the process had, in KiB. */
  readonly peakKb?: number;
  readonly error?: { readonly name: string; readonly message: string; readonly effect?: string };
}

/** A deployer in a process of its own. */
export class Child {
  readonly events: MigrationEvent[] = [];
  /** Resolves when the process has ended, by itself or killed. */
  readonly ended: Promise<Outcome>;
  readonly #process: ChildProcess;

  constructor(child: ChildProcess) {
    this.#process = child;
    let outcome: Outcome = {};
    let rest = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const told = JSON.parse(line) as Outcome & { event?: MigrationEvent };
        if (told.event) this.events.push(told.event);
        else outcome = told;
      }
    });
    this.ended = new Promise((end) => child.once('close', () => end(outcome)));
  }

  get pid(): number {
    return this.#process.pid!;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
