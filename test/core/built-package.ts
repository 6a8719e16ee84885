import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(__dirname, '..', '..');
const run = promisify(execFile);

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly type?: 'commonjs' | 'module';
  /** Packages of our own node_modules that the application has as well. */
  readonly installed?: readonly string[];
  readonly args?: readonly string[];
}

/**
 * The package as it is built, in a place of its own: a build of the tree would take `dist` away from whoever uses
 * it at the same time.
 */
export class BuiltPackage {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-built-'));

  get #package(): string {
    return join(this.#folder, 'package');
  }

  async build(): Promise<void> {
    const tsc = join(root, 'node_modules/typescript7/bin/tsc');
    for (const [format, type] of [
      ['cjs', 'commonjs'],
      ['esm', 'module'],
    ] as const) {
      const outDir = join(this.#package, format);
      mkdirSync(outDir, { recursive: true });
      writeFileSync(join(outDir, 'package.json'), JSON.stringify({ type }));
      const args = [tsc, '-p', join(root, `tsconfig.${format}.json`), '--outDir', outDir];
      await run(process.execPath, [
        ...args,
        '--noCheck',
        '--declaration',
        'false',
        '--declarationMap',
        'false',
      ]);
    }
    symlinkSync(join(root, 'node_modules'), join(this.#package, 'node_modules'));
  }

  /** The file of a door: '' is the main one. */
  door(format: 'cjs' | 'esm', name: string): string {
    return join(this.#package, format, name, 'index.js');
  }

  /** Runs a script in a fresh process, in an application folder of its own. One that does not end within 20 s is killed. */
  async run(script: string, options: RunOptions = {}): Promise<Ended> {
    const application = mkdtempSync(join(this.#folder, 'application-'));
    const { type = 'commonjs', installed = [], args = [] } = options;
    writeFileSync(join(application, 'package.json'), JSON.stringify({ type }));
    mkdirSync(join(application, 'node_modules'));
    for (const name of installed)
      symlinkSync(join(root, 'node_modules', name), join(application, 'node_modules', name));
    const main = join(application, 'main.js');
    writeFileSync(main, script);
    const env = { PATH: process.env['PATH'] ?? '' };
    return run(process.execPath, [main, ...args], { cwd: application, env, timeout: 120_000 });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
