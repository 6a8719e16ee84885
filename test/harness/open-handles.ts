import { setTimeout as sleep } from 'node:timers/promises';

const names: Readonly<Record<string, string>> = {
  TCPSocketWrap: 'TCP connection',
  TCPServerWrap: 'listening TCP server',
  ProcessWrap: 'child process',
};

/** Finds what would keep the process from ending by itself. What was open at the start is not counted. */
export class OpenHandles {
  private readonly before = count();

  /** Waits up to `graceMs` for them to close: a socket is gone a moment after its `end()`. */
  async findLeft(options: { graceMs: number }): Promise<Error[]> {
    const deadline = Date.now() + options.graceMs;
    while (this.left().length > 0 && Date.now() < deadline) await sleep(10);
    const left = this.left();
    return left.length === 0 ? [] : [new OpenHandlesError(left)];
  }

  private left(): string[] {
    const now = count();
    return Object.keys(names).flatMap((kind) => {
      const more = (now.get(kind) ?? 0) - (this.before.get(kind) ?? 0);
      return more > 0 ? [`${more} x ${names[kind]}`] : [];
    });
  }
}

class OpenHandlesError extends Error {
  constructor(left: readonly string[]) {
    super(
      `The file left something open that keeps the process alive: ${left.join(', ')}. ` +
        'Close every pool, data source, application and server that it opened.',
    );
    this.name = 'OpenHandlesError';
    this.stack = `${this.name}: ${this.message}`;
  }
}

function count(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
