import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BuiltPackage } from '../core/built-package.js';

const root = join(__dirname, '../..');

export interface RunnerOutcome {
  readonly code: number | null;
  readonly output: string;
}

/**
 * A folder with the files of `fixtures/`, where `holdfast` is the package as it is built, and test runners to run them: ours,
 * or those of `packages`, which npm installs.
 */
export class RunnerProject {
  readonly #built = new BuiltPackage();
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-runners-'));
  readonly #runners = mkdtempSync(join(tmpdir(), 'holdfast-other-runners-'));
  readonly #packages: Readonly<Record<string, string>>;

  constructor(packages: Readonly<Record<string, string>> = {}) {
    this.#packages = packages;
  }

  async create(): Promise<void> {
    await this.#built.build();
    const built = dirname(dirname(this.#built.door('cjs', '')));
    const doors = ['', '/testing'].map((door) => [
      `.${door}`,
      { import: `./esm${door}/index.js`, require: `./cjs${door}/index.js` },
    ]);
    writeFileSync(join(built, 'package.json'), JSON.stringify({ exports: Object.fromEntries(doors) }));
    cpSync(join(__dirname, 'fixtures'), this.#folder, { recursive: true });
    mkdirSync(join(this.#folder, 'node_modules'));
    symlinkSync(built, join(this.#folder, 'node_modules/holdfast'));
    if (Object.keys(this.#packages).length > 0) await this.#install();
    for (const name of new Set(['mysql2', 'pg', 'vitest', ...Object.keys(this.#packages)])) {
      symlinkSync(this.#installed(name), join(this.#folder, 'node_modules', name));
    }
  }

  vitest(
    databaseUrl: string,
    files: readonly string[],
    options: readonly string[] = [],
  ): Promise<RunnerOutcome> {
    const config = { root: this.#folder, test: { include: files, pool: 'forks', maxWorkers: 2 } };
    writeFileSync(join(this.#folder, 'vitest.config.mjs'), `export default ${JSON.stringify(config)};`);
    const args = [
      'run',
      '--no-color',
      '--reporter=verbose',
      '--config',
      join(this.#folder, 'vitest.config.mjs'),
    ];
    return this.#run([join(this.#installed('vitest'), 'vitest.mjs'), ...args, ...options], databaseUrl);
  }

  nodeTest(databaseUrl: string, files: readonly string[]): Promise<RunnerOutcome> {
    return this.#run(['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], databaseUrl);
  }

  jest(databaseUrl: string, file: string, options: readonly string[] = []): Promise<RunnerOutcome> {
    const config = {
      rootDir: this.#folder,
      testMatch: [`**/${file}`],
      moduleFileExtensions: ['js', 'cjs', 'json'],
      // What is built needs none.
      transform: {},
    };
    const args = ['--config', JSON.stringify(config), '--verbose', '--no-color', '--ci'];
    return this.#run([join(this.#installed('jest'), 'bin/jest.js'), ...args, ...options], databaseUrl);
  }

  remove(): void {
    this.#built.remove();
    rmSync(this.#runners, { recursive: true, force: true });
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Outside the folder of the tests: jest would look for tests in its packages. */
  async #install(): Promise<void> {
    writeFileSync(join(this.#runners, 'package.json'), JSON.stringify({ dependencies: this.#packages }));
    const { NODE_ENV: _env, NODE_OPTIONS: _options, ...env } = process.env;
    const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
    await promisify(execFile)('npm', args, { cwd: this.#runners, env });
  }

  #installed(name: string): string {
    return join(name in this.#packages ? this.#runners : root, 'node_modules', name);
  }

  #run(args: readonly string[], databaseUrl: string): Promise<RunnerOutcome> {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], DATABASE_URL: databaseUrl };
    const child = spawn(process.execPath, args, { cwd: this.#folder, env, timeout: 240_000 });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    }
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, output }));
    });
  }
}
