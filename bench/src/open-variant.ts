import { AsyncLocalStorage } from 'node:async_hooks';
import type { Scenario, Target, Work } from './workload.js';

/** One way to run a transaction, opened on one database. */
export interface OpenVariant {
  /** One transaction of the scenario. Rolled back by an error after its statements when `fail` is given. */
  run(scenario: Scenario, target: Target, fail?: Error): Promise<void>;
  /** A transaction without a statement, where the variant can be asked for one. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

export interface Connect {
  readonly url: string;
  readonly poolSize: number;
}

export type RunInTransaction<Db> = (work: (db: Db) => Promise<void>) => Promise<void>;

export function openVariant<Db>(
  work: Work<Db>,
  runInTransaction: RunInTransaction<Db>,
  close: () => Promise<void>,
): OpenVariant {
  return {
    close,
    empty: () => runInTransaction(async () => {}),
    run: (scenario, target, fail) =>
      runInTransaction(async (db) => {
        await work[scenario](db, target);
        if (fail) throw fail;
      }),
  };
}

/** What any way with an async context pays before it does anything: on Node 20 each promise carries the context along. */
export async function inAsyncLocalStorage(opening: Promise<OpenVariant>): Promise<OpenVariant> {
  const opened = await opening;
  const storage = new AsyncLocalStorage<object>();
  return {
    run: (...args) => storage.run({}, () => opened.run(...args)),
    empty: () => storage.run({}, () => opened.empty()),
    close: () => opened.close(),
  };
}
