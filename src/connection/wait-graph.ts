import { SelfDeadlockError } from './errors.js';
import type { Frame } from './context.js';

/** A request for a connection that was made inside a transaction and is not answered yet. */
interface Waiter {
  readonly frame: Frame;
  readonly pool: string;
  readonly describe: string;
  refuse(error: SelfDeadlockError): void;
}

/**
 * Tells a pool that is merely full from one that is deadlocked against itself: every connection is lent to a
 * transaction, and inside each of those transactions somebody waits for one more connection of the same pool.
 * Holders and waiters are joined by async context, so the verdict needs no threshold.
 */
export class WaitGraph {
  readonly #holders = new Map<Frame, string>();
  readonly #waiters = new Set<Waiter>();

  /** A transaction got a connection. `inUse` and `max` are the pool's counts at this moment. */
  granted(frame: Frame, name: string, isFull: () => boolean): void {
    this.#holders.set(frame, name);
    if (this.#waiters.size > 0) this.#judge(isFull);
  }

  returned(frame: Frame): void {
    this.#holders.delete(frame);
  }

  /**
   * Registers a request and judges once the caller's synchronous part is over: only then is it known whether
   * anybody can wait for what it started. Returns the function that takes the request out again.
   */
  waiting(waiter: Waiter, isFull: () => boolean): () => void {
    this.#waiters.add(waiter);
    queueMicrotask(() => this.#judge(isFull));
    return () => void this.#waiters.delete(waiter);
  }

  /** How many connections of the pool are held by transactions. */
  get held(): number {
    return this.#holders.size;
  }

  #judge(isFull: () => boolean): void {
    if (!isFull()) return;
    const blocked = new Set<Frame>();
    let last: Waiter | undefined;
    for (const waiter of this.#waiters) {
      for (let frame: Frame | undefined = waiter.frame; frame; frame = frame.parent) {
        if (!this.#holders.has(frame)) continue;
        blocked.add(frame);
        last = waiter;
      }
    }
    // Whoever merely waits in line behind the deadlock is no part of it; refusing that one would end nothing.
    if (!last || blocked.size < this.#holders.size) return;
    this.#waiters.delete(last);
    const names = [...this.#holders.values()].map((name) => `"${name}"`).join(', ');
    last.refuse(
      new SelfDeadlockError(
        `${last.describe} needs one more connection of pool "${last.pool}", but all ${this.#holders.size} are held by ` +
          `transactions that wait for one themselves: ${names}. Join the outer transaction (REQUIRED or NESTED ` +
          `instead of REQUIRES_NEW or NOT_SUPPORTED), or raise the pool's max above the number of such calls that run at once.`,
        { retryable: true },
      ),
    );
  }
}
