import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Ended } from './project.js';

export interface ProgramCall {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

interface Answer {
  readonly id: number;
  readonly ended: Ended;
}

interface Waiting {
  resolve(ended: Ended): void;
  reject(error: Error): void;
}

/** A process that runs the installed program as often as it is asked to; started by the first call. */
export class ProgramHost {
  readonly #installed: string;
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #calls = 0;

  constructor(installed: string) {
    this.#installed = installed;
  }

  run(call: ProgramCall): Promise<Ended> {
    this.#child ??= this.#start();
    const id = ++this.#calls;
    this.#child.send({ ...call, id });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  #start(): ChildProcess {
    const child = fork(join(__dirname, 'warm-program.cjs'), [this.#installed], {
      // A clean shell, and none of what jest was started with.
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', ({ id, ended }: Answer) => {
      this.#waiting.get(id)?.resolve(ended);
      this.#waiting.delete(id);
    });
    child.once('close', (code, signal) => {
      const error = new Error(`The process in which the program runs ended with ${code ?? signal}.`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
    return child;
  }
}
