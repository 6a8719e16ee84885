import { settledWithin, systemClock } from '../core/index.js';
import type { Session } from '../connection/index.js';

/** How long what was cancelled may go on before it is cancelled once more. */
const AGAIN_MS = 250;

/**
 * Has the server end what runs, and asks again until it has `ended`, or the session is lost or no longer held: a pooler
 * drops a request for a statement that waits for one of its sessions, and runs that statement a moment later. Resolves when
 * no request is on its way any more. Never rejects.
 */
export async function cancelUntil(
  ended: Promise<unknown>,
  session: Session,
  isHeld: () => boolean,
): Promise<void> {
  let goesOn = true;
  const stop = (): void => void (goesOn = false);
  ended.then(stop, stop);
  do {
    await session.cancel();
    await settledWithin(systemClock, AGAIN_MS, ended);
  } while (goesOn && !session.lost && isHeld());
}
