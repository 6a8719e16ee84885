import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const repository = join(__dirname, '../..');

/** Packs what `npm publish` would publish. Answers the path of the tarball, in the folder that is given. */
export async function pack(folder: string): Promise<string> {
  await run('npm', ['pack', '--silent', '--pack-destination', folder], repository);
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '');
}

/** The application of `app/`, outside the repository, on one set of dependencies and the packed library. */
export class Consumer {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-consumer-'));

  constructor(name: string) {
    cpSync(join(__dirname, name), this.folder, {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    });
    cpSync(join(__dirname, 'app'), join(this.folder, 'src'), { recursive: true });
  }

  async install(tarball: string): Promise<void> {
    const options = ['--prefer-offline', '--no-audit', '--no-fund'];
    await run('npm', ['ci', ...options], this.folder);
    await run('npm', ['install', '--no-save', '--no-package-lock', ...options, tarball], this.folder);
  }

  async compile(): Promise<void> {
    await this.tsc(['-p', '.']);
  }

  /** Type-checks one file of the given name that imports every door of the package. */
  async checkTypes(file: string, compilerOptions: Record<string, string>): Promise<void> {
    const folder = join(this.folder, 'doors');
    mkdirSync(folder, { recursive: true });
    const imports = this.doors().map((door, index) => `import * as door${index} from '${door}';`);
    const names = imports.map((_, index) => `door${index}`).join(', ');
    writeFileSync(join(folder, file), `${imports.join('\n')}\nexport const doors = [${names}];\n`);
    const common = { target: 'es2023', strict: true, skipLibCheck: true, noEmit: true };
    const config = { compilerOptions: { ...common, ...compilerOptions }, files: [file] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    await this.tsc(['-p', 'doors']);
  }

  /** Runs one compiled test file with plain Node; rejects with its output when a test in it fails. */
  async runTest(file: string): Promise<void> {
    await run(process.execPath, ['--enable-source-maps', '--test', join('dist', file)], this.folder);
  }

  /** Runs a program of the package as npx does; rejects with its output when it does not end with 0. */
  async runBin(name: string): Promise<void> {
    await run('npx', ['--no-install', name, '--version'], this.folder);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async tsc(args: string[]): Promise<void> {
    await run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), ...args], this.folder);
  }

  private doors(): string[] {
    const manifest = readFileSync(join(this.folder, 'node_modules/holdfast/package.json'), 'utf8');
    const { exports: doors } = JSON.parse(manifest) as { exports: Record<string, unknown> };
    return Object.keys(doors)
      .filter((door) => door !== './package.json')
      .map((door) => `holdfast${door.slice(1)}`);
  }
}

/** The test files of the application, by the names that tsc gives them. */
export function testFiles(): string[] {
  return readdirSync(join(__dirname, 'app'))
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => file.replace(/\.ts$/, '.js'));
}

async function run(command: string, args: string[], cwd: string): Promise<void> {
  // Without NODE_ENV=test and the options of jest's own process: a consumer starts from a clean shell.
  const { NODE_ENV: _env, NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${String(code)} in ${cwd}\n${Buffer.concat(output)}`,
    );
  }
}
