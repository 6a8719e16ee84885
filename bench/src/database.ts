import { openMysql } from './mysql-database.js';
import { openPostgres } from './postgres-database.js';
import type { Worker } from './worker-handle.js';

export interface DatabaseOptions {
  /** Whether COMMIT waits for the disk. */
  readonly durable: boolean;
  readonly writers: number;
}

/** A database with the accounts of every writer. */
export interface BenchDatabase {
  readonly url: string;
  /** The server, its version and what COMMIT waits for, as a user reads it. */
  describe(): Promise<string>;
  /** Empties the tables of what was written. */
  reset(): Promise<void>;
  /** What the transactions of each writer have left behind. */
  written(): Promise<Written[]>;
  /** A connection of its own, that of `url`. */
  connect(url: string): Promise<PingConnection>;
  stop(): Promise<void>;
}

export interface Written {
  readonly writer: number;
  readonly events: number;
  readonly balance: number;
}

export interface PingConnection {
  ping(): Promise<unknown>;
  end(): Promise<void>;
}

export function startDatabase(kind: 'postgres' | 'mysql', options: DatabaseOptions): Promise<BenchDatabase> {
  return kind === 'mysql' ? openMysql(options) : openPostgres(options);
}

/** Throws unless the database holds exactly what each variant says it committed. */
export async function checkWork(database: BenchDatabase, workers: readonly Worker[]): Promise<number> {
  const left = await database.written();
  let total = 0;
  for (const { variant, writer, written } of workers) {
    const found = left.find((row) => row.writer === writer);
    if (found?.events !== written || found.balance !== written) {
      throw new Error(
        `${variant} says that it committed ${written} INSERT + UPDATE; the database holds ${found?.events} and ${found?.balance}`,
      );
    }
    total += written;
  }
  return total;
}

/** Milliseconds of a `SELECT 1` on a connection of its own: the link's round trip, the server's part included. */
export async function measureRoundTrip(database: BenchDatabase, url: string): Promise<number[]> {
  const connection = await database.connect(url);
  const times: number[] = [];
  for (let count = 0; count < 300; count++) {
    const from = performance.now();
    await connection.ping();
    times.push(performance.now() - from);
  }
  await connection.end();
  return times.slice(50);
}
