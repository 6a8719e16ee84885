import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Collects what nobody refers to, and lets those who want to hear of it be told. */
export async function collectGarbage(): Promise<void> {
  // What the running turn has dealt with is kept until it is over.
  for (let round = 0; round < 2; round++) {
    await setImmediate();
    collect();
  }
  await setImmediate();
}
