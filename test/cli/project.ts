import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installedPackage } from '../harness/installed-package.js';
import { ProgramHost } from './program-host.js';

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Below the project's folder. */
  readonly cwd?: string;
}

/** A folder with migrations in which the installed program is run. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-project-'));
  readonly #package = installedPackage();
  readonly #running = new Set<RunningProgram>();
  readonly #host: ProgramHost;

  constructor(host: ProgramHost, files: Readonly<Record<string, string>> = {}) {
    this.#host = host;
    mkdirSync(join(this.folder, 'node_modules'));
    symlinkSync(this.#package, join(this.folder, 'node_modules/holdfast'));
    this.write({ 'package.json': '{}', ...files });
  }

  /** Writes files by their path below the folder. */
  write(files: Readonly<Record<string, string | Buffer>>): this {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), content);
    }
    return this;
  }

  /** As a process of its own. */
  start(args: readonly string[], options: RunOptions = {}): RunningProgram {
    const main = join(this.#package, 'dist/cjs/cli/main.js');
    const program = new RunningProgram(main, args, this.#shell(options));
    this.#running.add(program);
    void program.ended.finally(() => this.#running.delete(program));
    return program;
  }

  /** In the process that the tests of a file share: the exit code is the one that the process would end with. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return this.#host.run({ argv: args, ...this.#shell(options) });
  }

  /** The lines of `--json`, and the exit code. */
  async json(args: readonly string[], options: RunOptions = {}): Promise<JsonEnded> {
    return jsonOf(await this.run([...args, '--json'], options));
  }

  async remove(): Promise<void> {
    for (const program of this.#running) await program.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A clean one: what the tests' own server is named by is none of the program's variables. */
  #shell({ env, cwd = '.' }: RunOptions): Shell {
    const { PATH, HOME } = process.env;
    return { cwd: join(this.folder, cwd), env: { PATH, HOME, TMPDIR: tmpdir(), ...env } };
  }
}

/** What a run says with `--json`. */
export function jsonOf({ exitCode, stdout, stderr }: Ended): JsonEnded {
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonLine);
  return { exitCode, stderr, lines, last: lines.at(-1)! };
}

interface Shell {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type JsonLine = { readonly kind: string; readonly time: string } & Readonly<Record<string, unknown>>;

export interface JsonEnded {
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly lines: readonly JsonLine[];
  readonly last: JsonLine;
}

/** The program while it runs. */
export class RunningProgram {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(main: string, args: readonly string[], shell: Shell) {
    this.child = spawn(process.execPath, [main, ...args], { ...shell, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (exitCode) => resolve({ exitCode, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** Resolves when the program has written something that matches. Rejects when it ends before. */
  async says(pattern: RegExp): Promise<void> {
    let over = false;
    void this.ended.then(() => (over = true));
    while (!pattern.test(this.stdout + this.stderr)) {
      if (over) throw new Error(`It ended without saying ${pattern}:\n${this.stdout}\n${this.stderr}`);
      await sleep(10);
    }
  }

  async kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** A project for each test that asks for one; removed after it. */
export function useProjects(): (files?: Readonly<Record<string, string>>) => Project {
  const projects: Project[] = [];
  const host = new ProgramHost(installedPackage());
  afterAll(() => host.close());
  afterEach(async () => {
    for (const project of projects.splice(0)) await project.remove();
  });
  return (files) => {
    const project = new Project(host, files);
    projects.push(project);
    return project;
  };
}
