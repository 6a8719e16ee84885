import type { TrackedPool } from './tracked-pool.js';

export type Closer = () => unknown;

const closerLimitMs = 30_000;

/** What a test (or a file) opened through the harness, in the order in which it must be closed. */
export class Resources {
  readonly pools = new Set<TrackedPool>();
  private readonly closers: Closer[] = [];
  private readonly proxies: Closer[] = [];

  /** Closed first, the latest first; a pool that is still lent out is found after it. */
  addCloser(closer: Closer): void {
    this.closers.push(closer);
  }

  /** Closed last, because cutting a connection raises an `error` event on the client that still uses it. */
  addProxy(closer: Closer): void {
    this.proxies.push(closer);
  }

  runClosers(): Promise<Error[]> {
    return runAll(this.closers);
  }

  async end(): Promise<Error[]> {
    const pools = [...this.pools].map((pool) => () => pool.end());
    const errors = await runAll(pools);
    this.pools.clear();
    return [...errors, ...(await runAll(this.proxies))];
  }
}

async function runAll(closers: Closer[]): Promise<Error[]> {
  const errors: Error[] = [];
  for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) {
    try {
      await withinLimit(closer);
    } catch (error) {
      errors.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  return errors;
}

/** jest puts no time limit on this work, so a closer that hangs would hang the whole run. */
async function withinLimit(closer: Closer): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`A closer of the test did not end within ${closerLimitMs} ms: ${closer}`)),
      closerLimitMs,
    );
  });
  try {
    await Promise.race([closer(), limit]);
  } finally {
    clearTimeout(timer);
  }
}
