import type { Dialect } from '../core/index.js';
import {
  choosePool,
  type Frame,
  frameOf,
  type ManagedSource,
  NO_SOURCE,
  resolveSource,
  runInFrame,
  runningTransactions,
} from '../connection/index.js';
import type { Call } from './call.js';
import { lostBeforeCommit, partialCommit } from './commit-outcome.js';
import { CommitOutcomeUnknownError, type Outcomes, UnexpectedRollbackError } from './errors.js';
import type { Completion } from './hooks.js';
import type { Opening } from './opening.js';
import { rollsBackOn } from './options.js';
import { decide, type PropagationAction } from './propagation.js';
import { mismatch, outOfPlace, type SourceKey } from './refusal.js';
import { passOn, type PlainResult, unawaitedBeforeCommit } from './returned-value.js';
import type { RollbackSeen } from './rollback-seen.js';
import { refusedByShutdown } from './shutdown.js';
import type { TimeLimit } from './time-limit.js';
import { Transaction, type TransactionScope } from './transaction.js';

/** What a call over several data sources does on one of them. */
export interface Part {
  readonly source: ManagedSource;
  readonly action: Exclude<PropagationAction, 'refuse' | 'refuse closed'>;
  /** The one around the call. */
  readonly scope: TransactionScope | undefined;
}

/** A transaction or savepoint of the call's own, which it ends. */
interface Member {
  readonly scope: TransactionScope;
  commit(): Promise<Completion>;
  rollback(): Promise<void>;
  completion?: Completion;
  /** Whether there is anything that could be kept. */
  hasWork?: boolean;
}

/** Decides for each data source by itself what the call does there. One that refuses the call refuses it as a whole. */
export function findParts(
  call: Call<unknown>,
  names: readonly string[],
): { parts: readonly Part[] } | { refusal: Error; sources: readonly SourceKey[] } {
  const parts: Part[] = [];
  const sources: SourceKey[] = [];
  let refusal: Error | undefined;
  for (const name of names) {
    const scope = frameOf(name)?.scope as TransactionScope | undefined;
    const action = decide(call.options.propagation, scope ? (scope.closed ? 'closed' : 'active') : 'none');
    try {
      const source = scope && action !== 'begin' ? scope.transaction.source : resolveSource(name);
      sources.push(source);
      if (action === 'refuse closed') refusal ??= scope!.closedError();
      else if (action === 'refuse') refusal ??= outOfPlace(call.name, source, scope);
      else parts.push({ source, action, scope });
      if (action === 'join' || action === 'nest') refusal ??= mismatch(call, scope!);
      else if (action === 'begin') refusal ??= refusedByShutdown(call.name, source);
    } catch (error) {
      sources.push({ name });
      refusal ??= error as Error;
    }
  }
  return refusal ? { refusal, sources } : { parts };
}

/**
 * The transactions of one call over several data sources. Each is as independent as any; together they are committed
 * one after the other, in the order of the names, once nothing is known that would keep one of them from it.
 */
export class TransactionGroup {
  /** Speaks of every source. The last one named is the innermost: it is the last to commit. */
  readonly frame: Frame;
  readonly #call: Call<unknown>;
  readonly #opening: Opening;
  readonly #begun: Transaction[] = [];
  readonly #nested: TransactionScope[] = [];
  readonly #joined: TransactionScope[] = [];
  /** In the order in which they are committed. */
  readonly #members: Member[];
  readonly #visit: { readonly name: string };

  constructor(
    call: Call<unknown>,
    parts: readonly Part[],
    { outer, opening }: { outer: Frame | undefined; opening: Opening },
  ) {
    this.#call = call;
    this.#opening = opening;
    this.#visit = { name: call.name };
    const together: Frame[] = [];
    this.frame = parts.reduce<Frame>((frame, part) => this.#enter(part, frame, together), {
      parent: outer,
      source: NO_SOURCE,
      scope: undefined,
      together,
    });
    this.#members = [
      ...this.#begun.map((transaction): Member => ({
        scope: transaction.root,
        commit: () => transaction.commit(),
        rollback: () => transaction.rollback(),
      })),
      // Their COMMIT is another call's: until then they can be taken back, so they come last.
      ...this.#nested.map((scope): Member => ({
        scope,
        commit: () => scope.transaction.releaseSavepoint(scope),
        rollback: () => scope.transaction.rollbackToSavepoint(scope),
      })),
    ];
    for (const scope of this.#around) scope.inside.add(this.#visit);
  }

  /** The transactions and savepoints that the call ends. */
  get scopes(): readonly TransactionScope[] {
    return this.#members.map(({ scope }) => scope);
  }

  get openedAt(): Error {
    return this.#opening.toError();
  }

  get broken(): Error | undefined {
    return this.transactions.find(({ broken }) => broken)?.broken;
  }

  /** Whether anything is committed, or may be. */
  get committed(): boolean {
    const { committed, unknown } = this.#outcomes;
    return committed.length > 0 || unknown.length > 0;
  }

  /** Whether a COMMIT is on its way, and cannot be taken back. */
  get committing(): boolean {
    return this.#begun.some(({ committing }) => committing);
  }

  get dialect(): Pick<Dialect, 'retryableCodes'> {
    return {
      retryableCodes: new Map(this.#begun.flatMap(({ dialect }) => [...dialect.retryableCodes])),
    };
  }

  /** Whether anything still wants to run before COMMIT. Where one will not be committed, none is. */
  get preparesCommit(): boolean {
    const scopes = [...this.scopes, ...this.#around];
    if (scopes.some(isLost)) return false;
    return this.#begun.some(({ preparesCommit }) => preparesCommit);
  }

  async prepareCommit(): Promise<void> {
    for (const transaction of this.#begun) {
      const { source, root: scope } = transaction;
      const frame: Frame = { parent: this.frame, source, scope };
      if (transaction.preparesCommit) await runInFrame(frame, () => transaction.prepareCommit());
    }
  }

  orAborted<T>(work: PromiseLike<T>, limit?: TimeLimit): Promise<T> {
    return this.transactions.reduce<Promise<T>>(
      (waiting, transaction) => transaction.orAborted(waiting, limit),
      Promise.resolve(work),
    );
  }

  abort(error: Error, told?: (seen: RollbackSeen) => void): void {
    for (const transaction of this.transactions) transaction.abort(error, told);
  }

  /**
   * Commits all, in order. Whatever can be known to keep one of them from it is looked at before the first COMMIT, and
   * rolls back all. Throws {@link PartialCommitError} when one fails after another was committed.
   */
  async commit(limit?: TimeLimit): Promise<Completion> {
    try {
      this.#throwObstacle();
      for (const { scope } of this.#members) scope.close();
      await this.orAborted(Promise.all(this.#members.map(({ scope }) => scope.settled())), limit);
      this.#throwObstacle();
      if (this.#isRollbackOnly) {
        await this.rollback();
        return 'rolled back';
      }
      const withWork = this.#begun.filter(({ status }) => status !== undefined);
      if (withWork.length > 1) {
        await this.orAborted(Promise.all(withWork.map((transaction) => transaction.checkCommit())), limit);
        // While one server checked, the connection to another may have been lost.
        this.#throwObstacle();
      }
    } catch (error) {
      await this.rollback(error);
      throw error;
    }
    for (const member of this.#members) member.hasWork = member.scope.transaction.status !== undefined;
    for (const member of this.#members) if (member.hasWork) await this.#commitOne(member);
    // Of the others nothing was asked, so nothing can be refused.
    for (const member of this.#members) {
      if (member.hasWork) continue;
      await member.commit().catch(() => {});
      this.#settle(member, 'committed');
    }
    return 'committed';
  }

  /** Rolls back what is not committed, as a whole or to its savepoint; a transaction that was joined can only be rolled back. */
  async rollback(cause?: unknown): Promise<void> {
    for (const scope of this.#joined) this.#markFailed(scope, cause);
    await Promise.all(
      this.#members.map(async (member) => {
        if (member.completion) return;
        member.completion = 'rolled back';
        await member.rollback();
      }),
    );
  }

  /** Ends what was begun for a synchronous method, in which no statement can have been awaited. */
  endAtOnce<T>(result: PlainResult<T>): T {
    let failure: unknown;
    try {
      const value = passOn(result, this.#call.name);
      if (this.#begun.some(({ root }) => root.hooks.has('before commit')))
        throw unawaitedBeforeCommit(this.#call.name);
      for (const member of this.#members) if (!member.scope.asked) this.#settle(member, 'committed');
      return value;
    } catch (error) {
      failure = error;
      if (rollsBackOn(error, this.#call.options))
        for (const scope of this.#joined) this.#markFailed(scope, error);
      throw error;
    } finally {
      this.#noteEnd();
      const rolledBack = this.#members.map((member) => member.rollback());
      void Promise.all(rolledBack).then(() => this.#tellOfEnd(failure));
    }
  }

  /** Tells subscribers and hooks how it ended: those of each transaction what became of that one. Never rejects. */
  end(error: unknown): Promise<void> {
    this.#noteEnd();
    return this.#tellOfEnd(error);
  }

  #noteEnd(): void {
    for (const scope of this.#around) scope.inside.delete(this.#visit);
    for (const { scope, completion = 'rolled back' } of this.#members) scope.noteEnd(completion);
    for (const transaction of this.#begun) runningTransactions.end(transaction);
  }

  async #tellOfEnd(error: unknown): Promise<void> {
    for (const { scope, completion = 'rolled back' } of this.#members) {
      if (scope.savepoint) await scope.hooks.runAfter({ completion, error }, scope.name);
      else await scope.transaction.tellOfEnd({ completion, error });
    }
  }

  #enter({ source, action, scope }: Part, outer: Frame, together: Frame[]): Frame {
    const { name, options } = this.#call;
    const { isolationLevel, readOnly } = options;
    switch (action) {
      case 'begin': {
        const pool = choosePool(source, readOnly);
        const modes = { isolationLevel, readOnly, allowsImplicitCommit: false };
        const transaction = new Transaction({ name, source, pool, ...modes, outer, opening: this.#opening });
        runningTransactions.add(transaction);
        this.#begun.push(transaction);
        together.push(transaction.frame);
        return transaction.frame;
      }
      case 'nest': {
        const nested = scope!.transaction.nest(name, scope!);
        this.#nested.push(nested);
        return { parent: outer, source, scope: nested };
      }
      case 'join':
        this.#joined.push(scope!);
        return { parent: outer, source, scope, joinedBy: name };
      case 'outside':
        return { parent: outer, source, scope: undefined };
      case 'plain':
        return outer;
    }
  }

  /** Those that the call runs inside of, begun by it or not. */
  get transactions(): readonly Transaction[] {
    return [...this.#begun, ...[...this.#nested, ...this.#joined].map(({ transaction }) => transaction)];
  }

  /** The scopes that the call runs inside of, and that it does not end. */
  get #around(): readonly TransactionScope[] {
    return [...this.#joined, ...this.#nested.map(({ parent }) => parent!)];
  }

  /** Whether the method itself asked for a rollback, of one and so of all. */
  get #isRollbackOnly(): boolean {
    return this.#members.some(({ scope }) => scope.rollbackOnly);
  }

  #throwObstacle(): void {
    const obstacle = this.#obstacle();
    if (obstacle) throw obstacle;
  }

  /** Why not all of the work can be kept although the method returned normally. */
  #obstacle(): Error | undefined {
    for (const { scope } of this.#members) {
      const obstacle = scope.obstacle();
      if (obstacle) return scope.transaction.abortReason ?? obstacle;
    }
    // What begins none leaves it to the methods around it.
    if (this.#begun.length === 0) return undefined;
    const lost = this.#around.find(isLost);
    if (!lost) return this.#lostConnection();
    const { name, source, broken, abortReason } = lost.transaction;
    return (
      abortReason ??
      new UnexpectedRollbackError(
        `${this.#begun[0]!.root.ending}, but its work was rolled back: the transaction of "${name}" on data source "${source.name}", ` +
          'which it takes part in, cannot be committed any more. Let the error that is in the way of it through.',
        { cause: broken ?? lost.rollbackOnly?.cause ?? lost.failure },
      )
    );
  }

  /** One that no statement has met yet. */
  #lostConnection(): Error | undefined {
    const lost = this.transactions.find(({ connection }) => connection?.lost);
    return lost && lostBeforeCommit(lost.name, lost.connection!.lost);
  }

  async #commitOne(member: Member): Promise<void> {
    try {
      this.#settle(member, await member.commit());
    } catch (error) {
      this.#settle(member, error instanceof CommitOutcomeUnknownError ? 'unknown' : 'rolled back');
      await this.rollback(error);
      const { committed, unknown, rolledBack } = this.#outcomes;
      const isPartial = committed.length + unknown.length > 0 && committed.length + rolledBack.length > 0;
      if (!isPartial) throw error;
      const { name: failedAt } = member.scope.transaction.source;
      throw partialCommit(error, { name: this.#call.name, failedAt, committed, unknown, rolledBack });
    }
  }

  /** By the names of the data sources, where there was anything to keep. A read-only transaction keeps nothing. */
  get #outcomes(): Outcomes {
    const named = (wanted: Completion): string[] =>
      this.#members
        .filter(({ completion, hasWork }) => hasWork && completion === wanted)
        .map(({ scope }) => scope)
        .concat(wanted === 'rolled back' ? this.#joined : [])
        .filter(({ transaction }) => !transaction.readOnly)
        .map(({ transaction }) => transaction.source.name);
    return { committed: named('committed'), rolledBack: named('rolled back'), unknown: named('unknown') };
  }

  #settle(member: Member, completion: Completion): void {
    member.completion = completion;
    const { hooks, parent } = member.scope;
    if (parent && completion === 'committed') hooks.promoteTo(parent.hooks);
  }

  #markFailed(scope: TransactionScope, cause: unknown): void {
    scope.setRollbackOnly({ by: this.#call.name, cause, requested: false });
  }
}

/** Whether a scope around the call can be committed no more. */
function isLost(scope: TransactionScope): boolean {
  for (let around: TransactionScope | undefined = scope; around; around = around.parent)
    if (around.rollbackOnly) return true;
  return scope.closed || scope.transaction.broken !== undefined || scope.transaction.status === 'failed';
}
