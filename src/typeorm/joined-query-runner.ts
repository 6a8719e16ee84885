import type { QueryRunner } from 'typeorm';
import { HoldfastError } from '../core/index.js';
import type { ManualSavepoint } from '../connection/index.js';
import type { TransactionScope } from '../transaction/index.js';
import type { QueryRunnerInternals } from './typeorm-types.js';

/**
 * A view of the transaction's QueryRunner for one `createQueryRunner()` call inside the transaction: the same
 * connection, manager and subscriber data, with a life of its own. Releasing it gives nothing back, and a
 * transaction that is begun on it by hand is a savepoint.
 */
export function joinQueryRunner(
  runner: QueryRunnerInternals,
  currentScope: () => TransactionScope,
): QueryRunner {
  // A copy, not Object.create(runner): V8 would turn every transaction's runner into a prototype, which is slow.
  const view = Object.assign(Object.create(Object.getPrototypeOf(runner)), runner) as QueryRunnerInternals;
  return Object.assign(view, { isReleased: false }, handWrittenTransactions(view, currentScope));
}

/** The transaction methods of a QueryRunner that stands inside a transaction already. */
export function handWrittenTransactions(
  runner: QueryRunnerInternals,
  currentScope: () => TransactionScope,
): Pick<QueryRunner, 'startTransaction' | 'commitTransaction' | 'rollbackTransaction' | 'release'> &
  AsyncDisposable {
  const open: ManualSavepoint[] = [];
  /** After a transaction of its own, `isTransactionActive` tells of that one, as hand-written code expects. */
  const end = async (finish: () => Promise<void>): Promise<void> => {
    await finish();
    runner.isTransactionActive = open.length > 0;
  };
  const release = async (): Promise<void> => {
    runner.isReleased = true;
    for (const savepoint of open.splice(0).reverse()) await savepoint.rollback();
  };
  return {
    async startTransaction(isolationLevel) {
      runner.isTransactionActive = true;
      open.push(
        await currentScope().beginManual('a hand-written QueryRunner transaction', {
          isolationLevel,
          readOnly: false,
        }),
      );
    },
    // Code that asks `isTransactionActive` and so begins none of its own joins: the commit is its owner's.
    async commitTransaction() {
      const savepoint = open.pop();
      if (savepoint) await end(() => savepoint.release());
    },
    async rollbackTransaction() {
      const savepoint = open.pop();
      if (savepoint) await end(() => savepoint.rollback());
      else
        currentScope().setRollbackOnly({
          by: 'a hand-written QueryRunner',
          cause: undefined,
          requested: false,
        });
    },
    release,
    [Symbol.asyncDispose]: release,
  };
}

/** TypeORM wraps whatever a driver throws; an error of ours has its own name and code, and says so better unwrapped. */
export function unwrapHoldfastError<T>(query: () => Promise<T>): Promise<T> {
  return query().catch((error: unknown) => {
    const { driverError } = error as { driverError?: unknown };
    throw driverError instanceof HoldfastError ? driverError : error;
  });
}
