import type { LockHolder } from '../../locks/lock.js';
import type { UnlockResult } from '../../migrator.js';
import type { RunContext } from '../run-context.js';
import { lockOf } from '../with-lock.js';

/** Who holds the lock now. */
export async function lockHolder(context: RunContext): Promise<LockHolder | undefined> {
  const lock = await lockOf(context);
  return lock.holder();
}

/** Takes the lock away from whoever holds it, dead or alive. */
export async function unlock(context: RunContext): Promise<UnlockResult> {
  const lock = await lockOf(context);
  const taken = await lock.forceUnlock();
  return { holder: taken?.holder, released: taken !== undefined, cutOff: taken?.isCutOff ?? false };
}
