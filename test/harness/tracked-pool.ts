import type { Pool, PoolClient } from 'pg';

/** Knows which clients of a pool are lent, and can take them back when the borrower forgot them. */
export class TrackedPool {
  private readonly lent = new Set<PoolClient>();

  constructor(
    readonly pool: Pool,
    /** Where the test made it. */
    readonly madeAt: string,
  ) {
    pool.on('acquire', (client) => this.lent.add(client));
    pool.on('release', (_error, client) => this.lent.delete(client));
    pool.on('remove', (client) => this.lent.delete(client));
  }

  /** The backend pids of the clients that are out. */
  get lentPids(): readonly (number | undefined)[] {
    return [...this.lent].map((client) => (client as { processID?: number }).processID);
  }

  get lentCount(): number {
    return this.lent.size;
  }

  /** Ends the pool without waiting for the clients that are out: `pool.end()` alone would wait for ever. */
  async end(): Promise<void> {
    this.destroyLent();
    if (!this.pool.ending) await this.pool.end();
  }

  /** Destroys the clients that are out, so that the next test finds a clean pool. */
  destroyLent(): void {
    for (const client of this.lent) {
      client.on('error', () => undefined);
      try {
        client.release(new Error('Destroyed by the test harness: the test left it out.'));
      } catch {
        void client.end().catch(() => undefined);
      }
    }
    this.lent.clear();
  }
}

/** The first frame outside the harness and node_modules, as `file:line:column`. */
export function callerLocation(): string {
  const frames = (new Error('location').stack ?? '').split('\n').slice(1);
  const frame = frames.find(
    (line) => !/node_modules|node:|test[\\/]harness[\\/](?!.*\.(test|fixture)\.)/.test(line),
  );
  return /\(?([^()\s]+:\d+:\d+)\)?$/.exec(frame ?? '')?.[1] ?? 'an unknown place';
}
