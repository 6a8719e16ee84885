import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const repository = join(__dirname, '../..');

/** A Node process of the example, its output, and its end. */
export class NodeProcess {
  output = '';
  private readonly child: ChildProcess;
  /** Its folder for temporary files: whatever it starts of PostgreSQL lives in there for as long as it runs. */
  private readonly temporary = mkdtempSync(join(tmpdir(), 'holdfast-example-'));
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    // Without what jest sets for its own process: an example starts from a clean shell.
    const { NODE_ENV: _env, NODE_OPTIONS: _options, ...shell } = process.env;
    // As root, PostgreSQL runs as another user, who has to get in.
    chmodSync(this.temporary, 0o755);
    this.child = spawn(process.execPath, args, {
      cwd: repository,
      env: { ...shell, ...env, TMPDIR: this.temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', resolve);
    });
  }

  /** Resolves to the first match in the output. Rejects with the output when the process ends without one. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    let over = false;
    void this.ended.then(() => (over = true));
    for (;;) {
      const match = pattern.exec(this.output);
      if (match) return match;
      if (over) throw new Error(`The process ended without saying ${pattern}:\n${this.output}`);
      await sleep(20);
    }
  }

  /** What it has left in its folder. */
  leftovers(): string[] {
    return readdirSync(this.temporary);
  }

  async remove(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    // The harness's watchdog may still be at it, when the process was killed.
    rmSync(this.temporary, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}
