import { transformSync } from '@swc/core';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { MigrationEvent, MigratorOptions, UpResult } from '../../../src/migrations/index.js';

const SOURCE = resolve(__dirname, '../../../src');

/** Reads the options of a migrator, runs `up`, and tells events and result, a line of JSON each. */
const PROGRAM = `
const { createMigrator } = require('./migrations/index.js');
const tell = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
const options = JSON.parse(process.argv[2]);
const migrator = createMigrator({ ...options, onEvent: (event) => tell({ event }) });
migrator.up().then(
  (result) => tell({ result, peakKb: process.resourceUsage().maxRSS }),
  (error) => { tell({ error: { name: error.name, message: error.message, effect: error.effect } }); process.exitCode = 1; },
).finally(() => migrator.close());
`;

/**
 * The migrator as JavaScript, inside of node_modules, where it finds its packages: a process that is to be killed needs
 * no compiler of its own.
 */
export function useChildProgram(): { up(options: MigratorOptions): Child } {
  const folder = resolve(SOURCE, `../node_modules/.cache/holdfast-child-${process.pid}`);
  const children: ChildProcess[] = [];
  beforeAll(() => {
    for (const name of ['core', 'connection', 'migrations']) compile(name, folder);
    writeFileSync(join(folder, 'up.cjs'), PROGRAM);
    writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    up(options) {
      const child = spawn(process.execPath, [join(folder, 'up.cjs'), JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      return new Child(child);
    },
  };
}

function compile(name: string, folder: string): void {
  for (const entry of readdirSync(join(SOURCE, name), { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts')) continue;
    const target = join(folder, name, entry.replace(/\.ts$/, '.js'));
    const { code } = transformSync(readFileSync(join(SOURCE, name, entry), 'utf8'), {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' }, keepClassNames: true },
      // As tsc does: an import() finds the exports of CommonJS by reading it.
      module: { type: 'commonjs', ignoreDynamic: true, exportInteropAnnotation: true },
    });
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, code);
  }
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
