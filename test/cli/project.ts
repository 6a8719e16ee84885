import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installedPackage } from './installed-program.js';

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Below the project's folder. */
  readonly cwd?: string;
  readonly input?: string;
}

/** A folder with migrations in which the installed program is run as a process of its own. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-project-'));
  readonly #package = installedPackage();
  readonly #running = new Set<RunningProgram>();

  constructor(files: Readonly<Record<string, string>> = {}) {
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

  start(args: readonly string[], options: RunOptions = {}): RunningProgram {
    const program = new RunningProgram(join(this.#package, 'dist/cjs/cli/main.js'), args, {
      ...options,
      cwd: join(this.folder, options.cwd ?? '.'),
    });
    this.#running.add(program);
    void program.ended.finally(() => this.#running.delete(program));
    return program;
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  /** The lines of `--json`, and the exit code. */
  async json(args: readonly string[], options: RunOptions = {}): Promise<JsonEnded> {
    const { exitCode, stdout, stderr } = await this.run([...args, '--json'], options);
    const lines = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JsonLine);
    return { exitCode, stderr, lines, last: lines.at(-1)! };
  }

  async remove(): Promise<void> {
    for (const program of this.#running) await program.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
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

  constructor(main: string, args: readonly string[], { env, cwd, input }: RunOptions & { cwd: string }) {
    this.child = spawn(process.execPath, [main, ...args], {
      cwd,
      // A clean shell: what the tests' own server is named by is none of the program's variables.
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: tmpdir(), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stdin?.on('error', () => undefined).end(input ?? '');
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
  afterEach(async () => {
    for (const project of projects.splice(0)) await project.remove();
  });
  return (files) => {
    const project = new Project(files);
    projects.push(project);
    return project;
  };
}
