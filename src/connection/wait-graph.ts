import { LinkedSet, processGlobal } from '../core/index.js';
import type { Frame } from './context.js';
import { SelfDeadlockError } from './errors.js';

/** A pool that requests wait for. */
export interface WaitedPool {
  readonly name: string;
  /** Why it can have no more than one connection, where it cannot. */
  readonly onlyOne?: string;
  /** Whether that many connections are all that the pool may have. */
  isFilledBy(connections: number): boolean;
}

/** A transaction that holds a connection. */
export interface Holder {
  readonly name: string;
  readonly frame: Frame;
  readonly pool: WaitedPool;
  /** Whether a statement runs on its connection. */
  isBusy(): boolean;
}

/** A request for a connection that was made inside a transaction and is not answered yet. */
export interface Waiter {
  /** The frames around the request. */
  readonly frame: Frame;
  readonly pool: WaitedPool;
  readonly describe: string;
  refuse(error: SelfDeadlockError): void;
}

/**
 * Tells pools that are merely full from those that are deadlocked against themselves: all their connections are held
 * by transactions, and inside each of those somebody waits for one more connection, of the same pool or of another
 * that is stuck likewise. Holders and waiters are joined by async context, so the verdict needs no threshold.
 */
export class WaitGraph {
  readonly #holders = new LinkedSet<Holder>();
  readonly #waiters = new LinkedSet<Waiter>();
  #judging = false;

  /** A transaction got a connection. */
  granted(holder: Holder): void {
    this.#holders.add(holder);
    this.reconsider();
  }

  returned(holder: Holder): void {
    this.#holders.delete(holder);
  }

  /** Registers a request; the returned function takes it out again. */
  waiting(waiter: Waiter): () => void {
    this.#waiters.add(waiter);
    this.reconsider();
    return () => void this.#waiters.delete(waiter);
  }

  /**
   * Judges in the next turn of the event loop: a method that can go on has sent its next statement by then, or has
   * returned. Call it also when the connection of a holder comes to rest.
   */
  readonly reconsider = (): void => {
    if (this.#waiters.size === 0 || this.#judging) return;
    this.#judging = true;
    setImmediate(() => {
      this.#judging = false;
      this.#judge();
    });
  };

  #judge(): void {
    const holders = new Map(this.#holders.values().map((holder) => [holder.frame, holder]));
    const stuck = this.#stuck(holders);
    // Whoever merely waits in line behind a deadlock is no part of it; refusing that one would end nothing.
    const last = [...stuck].findLast((waiter) => waitsForItself(waiter, stuck, holders));
    if (!last) return;
    this.#waiters.delete(last);
    const isNested = [...around(last, holders)].some(({ pool }) => pool === last.pool);
    last.refuse(this.#error(last, isNested ? JOIN : KEEP_ONE_ORDER));
    this.reconsider();
  }

  /**
   * The waiters that nobody can ever serve: of all, those are left out, until none is left to leave out, whose pool has
   * a connection that is not held by a transaction with such a waiter inside.
   */
  #stuck(holders: HoldersByFrame): Set<Waiter> {
    const stuck = new Set(this.#waiters.values());
    for (let before = -1; before !== stuck.size;) {
      before = stuck.size;
      const blocked = blockedBy(stuck, holders);
      for (const waiter of stuck) {
        const held = blocked.filter(({ pool }) => pool === waiter.pool).length;
        if (!waiter.pool.isFilledBy(held)) stuck.delete(waiter);
      }
    }
    return stuck;
  }

  #error({ describe, pool }: Waiter, remedy: string): SelfDeadlockError {
    const holders = this.#holders.values().filter((holder) => holder.pool === pool);
    const names = new Set(holders.map((holder) => `"${holder.name}"`));
    return new SelfDeadlockError(
      `${describe} needs one more connection of pool "${pool.name}", but all ${holders.length} are held by ` +
        `transactions that wait for one themselves: ${[...names].join(', ')}. ` +
        `${remedy}${pool.onlyOne ? `: ${pool.onlyOne}.` : ", or raise the pool's max above the number of such calls that run at once."}`,
      { retryable: true },
    );
  }
}

/** What to do where a call holds a connection of the pool that it waits for. */
const JOIN = 'Join the outer transaction (REQUIRED or NESTED instead of REQUIRES_NEW or NOT_SUPPORTED)';
/** The same where it holds those of other pools alone. */
const KEEP_ONE_ORDER = "They wait for each other's pools: ask for the data sources in one order everywhere";

type HoldersByFrame = ReadonlyMap<Frame, Holder>;

/** The holders around these waiters. One whose connection runs a statement can still go on. */
function blockedBy(waiters: Iterable<Waiter>, holders: HoldersByFrame): Holder[] {
  const blocked = new Set<Holder>();
  for (const waiter of waiters) for (const holder of around(waiter, holders)) blocked.add(holder);
  return [...blocked].filter((holder) => !holder.isBusy());
}

function* around(waiter: Waiter, holders: HoldersByFrame): Generator<Holder> {
  for (let frame: Frame | undefined = waiter.frame; frame; frame = frame.parent) {
    const holder = holders.get(frame);
    if (holder) yield holder;
    for (const other of frame.together ?? []) {
      const beside = holders.get(other);
      if (beside) yield beside;
    }
  }
}

/** Whether the waiter holds up, through others or directly, a connection of the pool that it waits for. */
function waitsForItself(waiter: Waiter, stuck: ReadonlySet<Waiter>, holders: HoldersByFrame): boolean {
  const pools = new Set([waiter.pool]);
  for (const pool of pools) {
    for (const other of stuck) {
      if (![...around(other, holders)].some((holder) => holder.pool === pool)) continue;
      if (other === waiter) return true;
      pools.add(other.pool);
    }
  }
  return false;
}

/** One for all pools of the process, and for both copies of the package: transactions of two pools may wait for each other. */
export const waitGraph = processGlobal('holdfast.wait-graph/2', () => new WaitGraph());
