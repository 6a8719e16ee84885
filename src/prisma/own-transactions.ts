import type { IsolationLevel } from '../core/index.js';
import {
  type AmbientScope,
  ambientScope,
  currentFrame,
  type Frame,
  frameNaming,
  type ManagedSource,
  type ManualSavepoint,
  runInFrame,
  scopeInFrame,
  withCallSite,
} from '../connection/index.js';
import { runInTransaction, type TransactionScope } from '../transaction/index.js';
import type {
  PrismaClientLike,
  PrismaEngine,
  PrismaInternals,
  PrismaTransactionOptions,
} from './prisma-types.js';

/** The longest wait that Prisma's own timers keep; above about 2^31 ms they end at once with P2028. */
const FOR_EVER_MS = 2_000_000_000;

/** What messages call the transactions of Prisma: those that were asked for, and those that are found by their BEGIN. */
const ASKED_FOR = 'PrismaClient.$transaction';
const UNASKED = 'a transaction that Prisma began (for a BEGIN of your own use prisma.$transaction())';

type TransactionMethod = (
  this: unknown,
  work: unknown,
  options?: PrismaTransactionOptions,
) => Promise<unknown>;

/**
 * Makes Prisma's own transactions nested scopes of the transaction around them: siblings take turns, and a
 * failure undoes just its own work. Prisma opens them in three ways: for `$transaction` of a callback, for
 * `$transaction` of an array, and unasked, for one call that needs several statements.
 */
export class OwnTransactions {
  readonly #source: ManagedSource;
  /** Scopes that were opened for a `$transaction` whose BEGIN is still to come. */
  readonly #awaitingBegin = new WeakSet<AmbientScope>();

  constructor(source: ManagedSource) {
    this.#source = source;
  }

  /** `$transaction` inside a transaction: what its callback does through any client belongs to the nested scope. */
  nest(client: PrismaClientLike & PrismaInternals): void {
    const { $transaction: original } = client as unknown as { $transaction: TransactionMethod };
    const source = this.#source;
    const awaitingBegin = this.#awaitingBegin;
    const nested: TransactionMethod = function (this: unknown, work, options) {
      const begin = (): Promise<unknown> => original.call(this, work, options);
      // Prisma begins it on a stack of its own.
      if (!ambientScope(source)) return source.primary.observed ? withCallSite(begin) : begin();
      const isolationLevel =
        options?.isolationLevel ?? client._engineConfig?.transactionOptions?.isolationLevel;
      return nestedScope({ source, name: ASKED_FOR, isolationLevel }, (scope) => {
        awaitingBegin.add(scope);
        return original.call(this, work, options);
      });
    };
    Object.defineProperty(client, '$transaction', { value: nested, configurable: true, writable: true });
  }

  /**
   * The start of a transaction of Prisma inside ours. Its time limits do not count: they would end a part of the
   * transaction around it behind our back. Its isolation level was compared with ours, and cannot be set again.
   */
  startInside(engine: PrismaEngine): void {
    const original = engine.transaction.bind(engine);
    engine.transaction = (action, headers, options) => {
      if (action !== 'start' || options.newTxId !== undefined) return original(action, headers, options);
      const scope = ambientScope(this.#source);
      if (!scope)
        return runInFrame(frameNaming(ASKED_FOR, currentFrame()), () => original(action, headers, options));
      const limitless = { maxWait: FOR_EVER_MS, timeout: FOR_EVER_MS };
      const start = (): Promise<unknown> => original(action, headers, limitless);
      if (!this.#awaitingBegin.delete(scope)) return start();
      // The nested scope is the savepoint already; it ends as its callback does.
      const opened = { source: this.#source, scope, beginManual: () => endsByItself };
      return runInFrame({ parent: currentFrame(), ...opened }, start);
    };
  }

  /** The frame that a request of this frame is carried out in: there a BEGIN opens a nested scope. */
  frameOfRequest(frame: Frame | undefined): Frame | undefined {
    const scope = scopeInFrame(frame, this.#source);
    if (!scope) return frameNaming(UNASKED, frame);
    // The scope itself and no stand-in for it: most requests begin nothing.
    return new RequestFrame(frame, { source: this.#source, scope, open: this.#open });
  }

  /** Opens a nested scope that is ended by a call, not by the return of a function. */
  readonly #open = (): Promise<OpenedByCall> =>
    new Promise((resolve, reject) => {
      const undone = new Error('rolled back by Prisma');
      const ended = nestedScope(
        {
          source: this.#source,
          name: UNASKED,
          isolationLevel: undefined,
        },
        (scope) =>
          new Promise<void>((keep, undo) => {
            resolve({
              scope,
              release() {
                keep();
                return ended;
              },
              async rollback() {
                undo(undone);
                await ended.catch((error: unknown) => {
                  if (error !== undone) throw error;
                });
              },
            });
          }),
      );
      ended.catch(reject);
    });
}

/** The frame of one request of Prisma. From a BEGIN in it until the end of that transaction it is in the nested scope. */
class RequestFrame implements Frame {
  readonly parent: Frame | undefined;
  readonly source: ManagedSource;
  scope: AmbientScope;
  readonly #open: () => Promise<OpenedByCall>;

  constructor(
    parent: Frame | undefined,
    opening: { source: ManagedSource; scope: AmbientScope; open: () => Promise<OpenedByCall> },
  ) {
    this.parent = parent;
    this.source = opening.source;
    this.scope = opening.scope;
    this.#open = opening.open;
  }

  beginManual(): ManualSavepoint {
    const outer = this.scope;
    const opening = runInFrame(this.parent, this.#open);
    const leave = (): void => void (this.scope = outer);
    return {
      begun: opening.then(({ scope }) => void (this.scope = scope)),
      release: () => opening.then((opened) => opened.release()).finally(leave),
      rollback: () => opening.then((opened) => opened.rollback()).finally(leave),
    };
  }
}

/** A nested scope that a call ends. */
interface OpenedByCall {
  readonly scope: AmbientScope;
  release(): Promise<void>;
  rollback(): Promise<void>;
}

const done = async (): Promise<void> => {};
const endsByItself: ManualSavepoint = { begun: Promise.resolve(), release: done, rollback: done };

interface Opening {
  readonly source: ManagedSource;
  readonly name: string;
  readonly isolationLevel: string | undefined;
}

function nestedScope<T>(
  { source, name, isolationLevel }: Opening,
  work: (scope: AmbientScope) => Promise<T>,
): Promise<T> {
  const around = ambientScope(source) as TransactionScope | undefined;
  return runInTransaction(() => work(ambientScope(source)!), {
    dataSource: source.name,
    propagation: 'NESTED',
    name,
    // A transaction of Prisma has no such option: in a read-only one it reads, or the server refuses it.
    readOnly: around?.transaction.readOnly ?? false,
    ...(isolationLevel && { isolationLevel: sqlName(isolationLevel) }),
  });
}

/** Prisma's `ReadCommitted` is SQL's `READ COMMITTED`. */
function sqlName(level: string): IsolationLevel {
  return level.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toUpperCase() as IsolationLevel;
}
