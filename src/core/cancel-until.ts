import { settledWithin, systemClock } from './clock.js';

/** A connection of which the server can be asked to end what it runs. */
interface Cancellable {
  readonly lost: unknown;
  cancel(): Promise<void>;
}

/** How long what was cancelled may go on before it is cancelled once more. */
const AGAIN_MS = 250;

/**
 * Has the server end what runs, and asks again until it has `ended`, or the session is lost or no longer held. A request may
 * overtake the statement on its way to the server; and a pooler drops one for a statement that waits for one of its sessions,
 * and runs that statement a moment later. Resolves when no request is on its way any more. Never rejects.
 */
export async function cancelUntil(
  ended: Promise<unknown>,
  session: Cancellable,
  isHeld: () => boolean = () => true,
): Promise<void> {
  let goesOn = true;
  const stop = (): void => void (goesOn = false);
  ended.then(stop, stop);
  do {
    await session.cancel();
    await settledWithin(systemClock, AGAIN_MS, ended);
  } while (goesOn && !session.lost && isHeld());
}
