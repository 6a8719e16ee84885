import type { PgClient } from './pg-types.js';

/** Ends the hand-over of a client that is under way. */
const underWay = new WeakMap<PgClient, () => void>();

/**
 * Listens to a client's errors from the moment that pg-pool stops to, until whoever asked for the client has had the
 * chance to: an `error` that nobody listens for ends the process, and a promise tells of its client too late.
 */
export class HandOver {
  readonly #client: PgClient;
  #held: Error | undefined;

  constructor(client: PgClient) {
    this.#client = client;
    // That of a loan that began and ended within this turn of the event loop.
    underWay.get(client)?.();
    underWay.set(client, this.#end);
    client.on('error', this.#hold);
  }

  /** Answers why the client cannot be handed over, where it broke before; else its holder may listen from now on. */
  complete(): Error | undefined {
    const lost = this.#held;
    this.#held = undefined;
    if (lost) this.#end();
    else setImmediate(this.#end);
    return lost;
  }

  /** What somebody else hears is told already. */
  readonly #hold = (error: Error): void => {
    if (this.#client.listenerCount('error') === 1) this.#held ??= error;
  };

  readonly #end = (): void => {
    this.#client.removeListener('error', this.#hold);
    if (underWay.get(this.#client) === this.#end) underWay.delete(this.#client);
    const held = this.#held;
    this.#held = undefined;
    // To the listener that came after it, or to nobody: then it is uncaught, as pg says.
    if (held) this.#client.emit('error', held);
  };
}
