import { spawn } from 'node:child_process';
import { equal } from 'node:assert/strict';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const say = (text: string): void => void process.stdout.write(text);

/** What to call, and at what a program says. */
export interface Cue {
  readonly once: RegExp;
  readonly call: () => Promise<void>;
}

/** A project with migrations, and the program in it. */
export class Project {
  readonly #folder: string;
  readonly url: string;

  constructor(folder: string, url: string) {
    this.#folder = folder;
    this.url = url;
  }

  /** DDL that fails stays on MySQL and MariaDB, and is rolled back on PostgreSQL. */
  get isPostgres(): boolean {
    return this.url.startsWith('postgres');
  }

  /** What npm would do. */
  async install(): Promise<void> {
    await mkdir(join(this.#folder, 'node_modules'));
    await symlink(process.cwd(), join(this.#folder, 'node_modules/holdfast'), 'dir');
  }

  async write(path: string, content: string): Promise<void> {
    await mkdir(dirname(join(this.#folder, path)), { recursive: true });
    await writeFile(join(this.#folder, path), content);
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.#folder, path), { recursive: true });
  }

  /** Runs the program, prints what it says, and makes sure of its exit code. */
  async migrate(args: string, expected: number): Promise<void> {
    const { exitCode, output } = await this.#run(args);
    say(`$ migrate ${args}\n${indented(output)}  exit code ${exitCode}\n`);
    equal(exitCode, expected);
  }

  /** Two of them at once, as two pods are. Calls `call` once one of them says that, or once both have ended. */
  async migrateTwice(args: string, { once, call }: Cue): Promise<void> {
    let called: Promise<void> | undefined;
    const hear = (output: string): void => {
      if (once.test(output)) called ??= call();
    };
    const pods = await Promise.all([this.#run(args, hear), this.#run(args, hear)]);
    await (called ?? call());
    for (const [index, { exitCode, output }] of pods.entries()) {
      say(`pod ${index + 1} $ migrate ${args}\n${indented(output)}  exit code ${exitCode}\n`);
      equal(exitCode, 0);
    }
  }

  async #run(
    args: string,
    hear?: (output: string) => void,
  ): Promise<{ exitCode: number | null; output: string }> {
    const main = join(this.#folder, 'node_modules/holdfast/dist/cjs/cli/main.js');
    const child = spawn(process.execPath, [main, ...args.split(' ')], {
      cwd: this.#folder,
      env: { ...withoutHoldfast(process.env), DATABASE_URL: this.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        hear?.(output);
      });
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    return { exitCode, output };
  }
}

/** The tests of this repository have variables of their own. */
function withoutHoldfast(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('HOLDFAST_')));
}

function indented(output: string): string {
  return output.replace(/^(?=.)/gm, '  ');
}
