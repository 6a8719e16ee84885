import type { QueryRunner } from 'typeorm';
import { HoldfastError } from '../core/index.js';
import { type ManualSavepoint, TransactionControlError } from '../connection/index.js';
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
  const last = (verb: 'commitTransaction' | 'rollbackTransaction'): ManualSavepoint => {
    const savepoint = open.pop();
    if (savepoint) return savepoint;
    throw new TransactionControlError(
      `queryRunner.${verb}() without a startTransaction() of its own would end the transaction of "${currentScope().transaction.name}"; ` +
        'nothing was sent. Let the method return to commit, throw to roll back, or call currentTransaction().setRollbackOnly().',
    );
  };
  const release = async (): Promise<void> => {
    runner.isReleased = true;
    for (const savepoint of open.splice(0).reverse()) await savepoint.rollback();
  };
  return {
    async startTransaction(isolationLevel) {
      open.push(
        await currentScope().beginManual('a hand-written QueryRunner transaction', {
          isolationLevel,
          readOnly: false,
        }),
      );
    },
    commitTransaction: async () => last('commitTransaction').release(),
    rollbackTransaction: async () => last('rollbackTransaction').rollback(),
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
