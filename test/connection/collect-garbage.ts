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

/**
 * What one piece of work leaves behind is told by this much, in bytes: more than what sockets read into, and a hundred of them
 * less than what has V8 run a full collection.
 */
const LOAD = 256 * 1024;

const ATTEMPTS = 5;

/**
 * How many of `times` pieces of work are still there after the collector of young objects has run: the only one that runs
 * often. Each is handed a load to refer to from whatever it makes: a buffer, since those are counted by themselves, and the
 * heap has much else in a worker that has run other tests. There a full collection that has begun by itself may keep all that
 * it has come by, so that the least of some attempts counts: what is old from birth is kept in each of them.
 */
export async function keptByYoungCollector(
  times: number,
  work: (load: unknown) => Promise<void> | void,
): Promise<number> {
  for (let warmUp = 0; warmUp < 20; warmUp++) await work(undefined);
  let least = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS && least > 1; attempt++)
    least = Math.min(least, await keptOnce(times, work));
  return least;
}

async function keptOnce(times: number, work: (load: unknown) => Promise<void> | void): Promise<number> {
  await collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  for (let time = 0; time < times; time++) await work(new ArrayBuffer(LOAD));
  const kept = (): number => (process.memoryUsage().arrayBuffers - before) / LOAD;
  // They are freed by a thread beside the program. What is old is never gone by this, however often it is done.
  for (let round = 0; round < 50 && (round < 3 || kept() > 1); round++) {
    await setImmediate();
    collect({ type: 'minor' });
  }
  return kept();
}
