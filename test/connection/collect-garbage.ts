import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;

/** Collects what nobody refers to, and lets those who want to hear of it be told. */
export async function collectGarbage(): Promise<void> {
  // What the running turn has dealt with is kept until it is over.
  for (let round = 0; round < 2; round++) {
    await setImmediate();
    collect();
  }
  await setImmediate();
}

/** What one piece of work leaves behind is told by this much, in bytes. */
const LOAD = 80_000;

/**
 * How many of `times` pieces of work are still there after the collector of young objects has run: the only one that runs
 * often. Each is handed a load to refer to from whatever it makes.
 */
export async function keptByYoungCollector(
  times: number,
  work: (load: unknown) => Promise<void> | void,
): Promise<number> {
  for (let warmUp = 0; warmUp < 20; warmUp++) await work(undefined);
  await collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let time = 0; time < times; time++) await work(Array.from({ length: LOAD / 8 }, () => time));
  await setImmediate();
  for (let round = 0; round < 3; round++) collect({ type: 'minor' });
  return (process.memoryUsage().heapUsed - before) / LOAD;
}
