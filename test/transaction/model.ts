import type { Propagation } from 'holdfast';

/** A transactional program: what the property test runs, and what the model says must be left of it. */
export type Op =
  | { readonly kind: 'insert'; readonly label: string }
  /** A statement that fails on the server. */
  | { readonly kind: 'fail' }
  | { readonly kind: 'throw' }
  | { readonly kind: 'setRollbackOnly' }
  | Call
  /** All at once; fails with the first failure when all have ended. */
  | { readonly kind: 'parallel'; readonly branches: readonly (Call | { kind: 'insert'; label: string })[] };

export interface Call {
  readonly kind: 'call';
  readonly propagation: Extract<Propagation, 'REQUIRED' | 'NESTED' | 'REQUIRES_NEW'>;
  readonly body: readonly Op[];
  /** Its caller swallows what it rejects with. */
  readonly caught: boolean;
}

export interface Verdict {
  readonly committed: readonly string[];
  readonly outcome: 'resolves' | 'rejects';
}

class Failure extends Error {}

/** The transaction as a whole, or a savepoint of it. */
class ModelScope {
  readonly rows: string[] = [];
  /** A statement of this scope failed: the server refuses whatever comes until the scope is rolled back. */
  failed = false;
  rollbackOnly: 'requested' | 'by a joined method' | undefined;
  isUsed = false;

  constructor(readonly parent?: ModelScope) {}

  get isFailed(): boolean {
    return this.failed || (this.parent?.isFailed ?? false);
  }

  statement(): void {
    this.isUsed = true;
    if (this.isFailed) throw new Failure();
  }

  /** Whether a scope whose method returned can be kept; throws when its caller must be told that it cannot. */
  complete(): boolean {
    if (this.rollbackOnly === 'by a joined method' || (this.isUsed && this.isFailed)) throw new Failure();
    return this.rollbackOnly === undefined;
  }
}

/** What must be committed, said by a reading of the rules that knows no queue, no connection and no time. */
export function predict(program: readonly Op[]): Verdict {
  const committed: string[] = [];
  try {
    beginAndRun(program, committed);
    return { committed, outcome: 'resolves' };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { committed, outcome: 'rejects' };
  }
}

function beginAndRun(body: readonly Op[], committed: string[]): void {
  const scope = new ModelScope();
  run(body, { scope, committed, isJoined: false });
  if (scope.complete()) committed.push(...scope.rows);
}

interface Place {
  readonly scope: ModelScope;
  readonly committed: string[];
  readonly isJoined: boolean;
}

function run(body: readonly Op[], place: Place): void {
  for (const op of body) runOne(op, place);
}

function runOne(op: Op, place: Place): void {
  const { scope } = place;
  switch (op.kind) {
    case 'insert':
      scope.statement();
      scope.rows.push(op.label);
      return;
    case 'fail':
      scope.statement();
      scope.failed = true;
      throw new Failure();
    case 'throw':
      throw new Failure();
    case 'setRollbackOnly':
      scope.rollbackOnly ??= place.isJoined ? 'by a joined method' : 'requested';
      return;
    case 'call':
      try {
        call(op, place);
      } catch (error) {
        if (!op.caught) throw error;
      }
      return;
    case 'parallel': {
      const failures = op.branches.flatMap((branch) => {
        try {
          runOne(branch, place);
          return [];
        } catch (error) {
          return [error];
        }
      });
      if (failures.length > 0) throw failures[0];
    }
  }
}

function call({ propagation, body }: Call, place: Place): void {
  const { scope, committed } = place;
  if (propagation === 'REQUIRES_NEW') return beginAndRun(body, committed);
  if (propagation === 'REQUIRED') {
    try {
      return run(body, { ...place, isJoined: true });
    } catch (error) {
      scope.rollbackOnly ??= 'by a joined method';
      throw error;
    }
  }
  const nested = new ModelScope(scope);
  run(body, { scope: nested, committed, isJoined: false });
  if (nested.complete()) {
    scope.rows.push(...nested.rows);
    scope.isUsed ||= nested.isUsed;
  }
}
