import type { Clock, Timer } from '../core/index.js';
import { TestTransactionError } from './errors.js';
import type { Frame } from './context.js';

/** Work that has a connection of its own, and inside a holder's turn can have none. */
export type IndependentWork = 'REQUIRES_NEW' | 'NOT_SUPPORTED';

/** Somebody who wants to use a connection that is shared. */
export interface TurnRequest {
  readonly name: string;
  /** What it is when it is asked for inside the turn of another. */
  readonly kind: IndependentWork;
  /** Where it is asked for. */
  readonly frame: Frame | undefined;
  /** The frame that work inside of it has above it, where there is such a frame. */
  readonly own?: Frame;
}

export interface TurnsOptions {
  readonly clock: Clock;
  /** How long a request waits, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether independent work inside of a turn may run on top of it. */
  allows(kind: IndependentWork): boolean;
}

interface Waiter {
  readonly request: TurnRequest;
  /** Set where the holder of a turn waits for its next statement. */
  readonly turn: Turn | undefined;
  readonly askedAt: Error;
  readonly timer: Timer;
  grant(turn: Turn): void;
  refuse(error: Error): void;
}

/**
 * The order in which several use one connection: one turn at a time, in the order of asking. What is asked for
 * inside a turn (REQUIRES_NEW inside a transaction) is awaited by its holder and goes on top of it, or is refused.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #stack: Turn[] = [];
  readonly #waiting = new Set<Waiter>();
  readonly #idle: (() => void)[] = [];
  #closed: Error | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Resolves when it is the request's turn. Rejects with {@link TestTransactionError} when it cannot be, or took too long. */
  async take(request: TurnRequest): Promise<Turn> {
    // What is started with runOutsideTransaction() and not awaited is detached from its frames by then.
    await Promise.resolve();
    return this.#wait(request, undefined);
  }

  /** Runs one statement of a turn: nothing else is on its way, and nothing is on top. */
  async run<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    if (this.#closed || this.top !== turn || turn.busy) await this.#wait(turn.request, turn);
    else turn.busy = true;
    try {
      return await work();
    } finally {
      turn.busy = false;
      this.#pump();
    }
  }

  end(turn: Turn): void {
    const index = this.#stack.indexOf(turn);
    if (index !== -1) this.#stack.splice(index, 1);
    this.#pump();
  }

  get top(): Turn | undefined {
    return this.#stack.at(-1);
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Who holds a turn or waits for one. */
  get unfinished(): readonly { readonly name: string; readonly askedAt: Error }[] {
    const waiting = [...this.#waiting].filter(({ turn }) => !turn);
    return [...this.#stack, ...waiting.map(({ request: { name }, askedAt }) => ({ name, askedAt }))];
  }

  /** Resolves when nobody holds a turn and nobody waits for one. */
  idle(): Promise<void> {
    if (this.unfinished.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** From now on nobody gets a turn, and no turn gets a statement. */
  close(error: Error): void {
    this.#closed = error;
    for (const waiter of this.#waiting) this.#leave(waiter).refuse(error);
  }

  #wait(request: TurnRequest, turn: Turn | undefined): Promise<Turn> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((grant, refuse) => {
      const { clock, timeoutMs } = this.#options;
      const waiter: Waiter = {
        request,
        turn,
        askedAt: new Error(`"${request.name}" was asked for here`),
        timer: clock.setTimer(() => this.#leave(waiter).refuse(this.#tooLong(request)), timeoutMs),
        grant,
        refuse,
      };
      this.#waiting.add(waiter);
      this.#pump();
    });
  }

  #pump(): void {
    for (const waiter of this.#waiting) {
      const { request, turn } = waiter;
      const around = turn ?? this.#around(request.frame);
      if (!turn && around && !this.#options.allows(request.kind)) {
        this.#leave(waiter).refuse(cannotBeIndependent(request, around));
      } else if (around === this.top && !around?.busy) {
        if (turn) turn.busy = true;
        else this.#stack.push(new Turn(request, waiter.askedAt));
        this.#leave(waiter).grant(this.top!);
      }
    }
    if (this.unfinished.length === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #leave(waiter: Waiter): Waiter {
    waiter.timer.clear();
    this.#waiting.delete(waiter);
    return waiter;
  }

  /** The innermost turn that a request is asked for in. */
  #around(start: Frame | undefined): Turn | undefined {
    for (let frame = start; frame; frame = frame.parent) {
      const turn = this.#stack.find(({ request }) => request.own === frame);
      if (turn) return turn;
    }
    return undefined;
  }

  #tooLong({ name }: TurnRequest): TestTransactionError {
    const holder = this.top;
    return new TestTransactionError(
      `"${name}" waited ${this.#options.timeoutMs} ms for its turn behind "${holder?.name ?? 'nobody'}". Under rollbackPerTest() all connections are one: ` +
        'while a transaction is open on it, everybody outside of that transaction waits. End that transaction first, run the statement inside of it, or raise turnTimeoutMs. ' +
        'The cause is where it was opened.',
      { cause: holder?.askedAt },
    );
  }
}

/** The time for which somebody has a shared connection. */
export class Turn {
  /** Whether a statement of it is on its way. */
  busy = false;

  constructor(
    readonly request: TurnRequest,
    readonly askedAt: Error,
  ) {}

  get name(): string {
    return this.request.name;
  }
}

function cannotBeIndependent({ name, kind }: TurnRequest, around: Turn): TestTransactionError {
  return new TestTransactionError(
    `"${name}" wants to be independent of the transaction of "${around.name}" that it was called in. Under rollbackPerTest() both have one connection, ` +
      `so it would be a savepoint of it: it sees its uncommitted rows, and is undone when "${around.name}" rolls back. ` +
      `If this test may live with that: rollbackPerTest({ allow: ['${kind}'] }). Otherwise test it without rollbackPerTest().`,
    { cause: around.askedAt },
  );
}
