import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Order, SliceResult, WorkerStart } from './worker.js';

/** The process of one variant, from the outside. */
export class Worker {
  readonly #child: ChildProcess;
  readonly variant: string;
  readonly writer: number;
  /** How many INSERT + UPDATE transactions it said it committed. */
  written = 0;

  private constructor(child: ChildProcess, { variant, writer }: WorkerStart) {
    this.#child = child;
    this.variant = variant;
    this.writer = writer;
  }

  static async start(start: WorkerStart, execArgv: readonly string[] = []): Promise<Worker> {
    const script = join(__dirname, 'worker.js');
    const child = fork(script, [JSON.stringify(start)], {
      serialization: 'advanced',
      execArgv: [...execArgv],
      // As services run.
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const worker = new Worker(child, start);
    await worker.#answer();
    return worker;
  }

  async order(order: Order): Promise<SliceResult> {
    this.#child.send(order);
    const result = await this.#answer();
    if (order.kind !== 'empty' && order.scenario === 'insert-update') this.written += result.transactions;
    return result;
  }

  async stop(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    await exit;
  }

  #answer(): Promise<SliceResult> {
    return new Promise((resolve, reject) => {
      const gone = (code: number | null): void =>
        reject(new Error(`the process of ${this.variant} ended with ${code}`));
      this.#child.once('exit', gone);
      this.#child.once('message', (message: { result: SliceResult; error?: string }) => {
        this.#child.removeListener('exit', gone);
        if (message.error) reject(new Error(`${this.variant}: ${message.error}`));
        else resolve(message.result);
      });
    });
  }
}
