import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BuiltPackage } from '../core/built-package.js';

const root = join(__dirname, '../..');

export interface RunnerOutcome {
  readonly code: number | null;
  readonly output: string;
}

/** A folder with the files of `fixtures/`, where `holdfast` is the package as it is built, and test runners to run them. */
export class RunnerProject {
  readonly #built = new BuiltPackage();
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-runners-'));

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
    for (const name of ['mysql2', 'pg', 'vitest']) {
      symlinkSync(join(root, 'node_modules', name), join(this.#folder, 'node_modules', name));
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
    return this.#run([join(root, 'node_modules/vitest/vitest.mjs'), ...args, ...options], databaseUrl);
  }

  nodeTest(databaseUrl: string, files: readonly string[]): Promise<RunnerOutcome> {
    return this.#run(['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], databaseUrl);
  }

  jest(databaseUrl: string, file: string): Promise<RunnerOutcome> {
    const config = {
      rootDir: this.#folder,
      testMatch: [`**/${file}`],
      moduleFileExtensions: ['js', 'cjs', 'json'],
    };
    const args = ['--config', JSON.stringify(config), '--verbose', '--no-color', '--ci'];
    return this.#run([join(root, 'node_modules/jest/bin/jest.js'), ...args], databaseUrl);
  }

  remove(): void {
    this.#built.remove();
    rmSync(this.#folder, { recursive: true, force: true });
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
