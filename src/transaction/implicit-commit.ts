import { getLogger } from '../core/index.js';
import { type ManagedPool, type Session, TransactionControlError } from '../connection/index.js';
import { settleCommit } from './commit-outcome.js';
import { UnexpectedRollbackError } from './errors.js';
import type { Scope, ScopeOwner } from './scope.js';

/**
 * Why a statement before which MySQL commits is not sent, where it is not. `statement` is its first words, `manual`
 * whether a hand-written transaction is open in the scope.
 */
export function refusalOfImplicitCommit<T extends ScopeOwner>(
  statement: string,
  { scope, manual }: { readonly scope: Scope<T>; readonly manual: boolean },
): TransactionControlError | undefined {
  const { transaction, name, parent, rollbackOnly } = scope;
  if (!transaction.allowsImplicitCommit) {
    let outermost = scope;
    while (outermost.parent) outermost = outermost.parent;
    return new TransactionControlError(
      `${statement} makes the server commit the transaction before it, so it was not sent. Run it before the transaction, or in ` +
        'runOutsideTransaction(), where it must not wait for locks that the transaction holds. ' +
        `allowImplicitCommit: true of "${outermost.name}", the outermost call, lets it commit what came before it; that of a call inside it does nothing.`,
    );
  }
  if (parent || manual) {
    return new TransactionControlError(
      `${statement} makes the server commit what is around ${manual ? 'the hand-written transaction that is open' : 'the savepoint'} inside "${name}", which could then not be undone; it was not sent. ` +
        'Run it in the method that began the transaction, outside of both.',
    );
  }
  if (rollbackOnly) {
    return new TransactionControlError(
      `${statement} makes the server commit the transaction of "${name}", which can only be rolled back; it was not sent.`,
    );
  }
  return undefined;
}

/**
 * Commits what came before such a statement, with an answer of its own. Where that is the end of the transaction,
 * rejects as its end would.
 */
export async function commitBefore(
  session: Session,
  statement: string,
  transaction: { readonly name: string; readonly readOnly: boolean; readonly pool: ManagedPool },
): Promise<void> {
  const answer = await session.commit();
  if (answer.kind === 'unknown') throw (await settleCommit(answer, transaction)) ?? answer.error;
  if (answer.kind === 'rolled back') {
    const message = `The server rolled back what came before ${statement}, which was not sent.`;
    throw answer.error ?? new UnexpectedRollbackError(message);
  }
  getLogger().info(
    { transaction: transaction.name },
    `holdfast: "${transaction.name}" has committed what came before ${statement}, as its allowImplicitCommit lets it`,
  );
}
