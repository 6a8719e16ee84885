import { startFaultProxy } from '../../test/harness/fault-proxy.js';
import { checkWork, type BenchDatabase } from './database.js';
import { POOL_SIZE } from './options.js';
import { SCENARIOS } from './workload.js';
import { Worker } from './worker-handle.js';

export interface WireRow {
  readonly variant: string;
  readonly what: string;
  readonly roundTrips: number;
  readonly statements: readonly string[];
}

/**
 * Runs one transaction of each kind through a proxy that reads the protocol: what each variant really sends, in
 * how many round trips, and that a rolled back one leaves nothing.
 */
export async function checkWire(database: BenchDatabase, variants: readonly string[]): Promise<WireRow[]> {
  const proxy = await startFaultProxy(database.url);
  const rows: WireRow[] = [];
  for (const [writer, variant] of variants.entries()) {
    const start = { variant, url: proxy.url(database.url), poolSize: POOL_SIZE, writer };
    const worker = await Worker.start(start);
    for (const what of [...SCENARIOS, 'empty'] as const) {
      // The first opens the connection.
      if (what !== 'empty') await worker.order({ kind: 'once', scenario: what });
      proxy.forget();
      await worker.order({ kind: 'once', scenario: what });
      rows.push({ variant, what, roundTrips: proxy.flights, statements: proxy.texts.map(shorten) });
    }
    await worker.order({ kind: 'once', scenario: 'insert-update', rollBack: true });
    await checkWork(database, [worker]);
    await worker.stop();
  }
  await proxy.close();
  return rows;
}

function shorten(text: string): string {
  const words = text.replace(/\s+/g, ' ').trim();
  const [verb = ''] = words.split(' ');
  return /^select pg_current_xact_id/i.test(words) ? 'SELECT xact id' : verb.toUpperCase();
}
