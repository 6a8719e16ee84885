import { InvalidOptionsError } from '../core/index.js';
import {
  type AmbientScope,
  currentFrame,
  type Frame,
  type ManagedSource,
  type ManualSavepoint,
  runInFrame,
  type Session,
  TransactionControlError,
} from '../connection/index.js';
import type { Call } from './call.js';
import {
  IsolationMismatchError,
  PropagationError,
  ReadOnlyMismatchError,
  TransactionClosedError,
} from './errors.js';
import { callWork, lazyKind, valueOf } from './returned-value.js';
import type { TransactionScope } from './transaction.js';

/** Why a call cannot join the transaction around it, where it cannot. */
export function mismatch({ name, options }: Call<unknown>, scope: TransactionScope): Error | undefined {
  const { transaction } = scope;
  const { isolationLevel, readOnly, propagation } = options;
  if (isolationLevel && isolationLevel !== transaction.isolationLevel) {
    return new IsolationMismatchError(
      `"${name}" asks for ${isolationLevel}, but joins the transaction of "${transaction.name}", which runs at ` +
        `${transaction.isolationLevel ?? "the server's default level"}. Begin "${transaction.name}" with ${isolationLevel}, or make "${name}" REQUIRES_NEW.`,
    );
  }
  if (transaction.readOnly && !readOnly && propagation !== 'SUPPORTS') {
    return new ReadOnlyMismatchError(
      `"${name}" may write, but joins the read-only transaction of "${transaction.name}". Mark "${name}" readOnly: true if it only reads, ` +
        `or drop readOnly from "${transaction.name}".`,
    );
  }
  return undefined;
}

/** Why a call cannot begin a transaction of its own on `source`, where it cannot. */
export function unavailable({ options }: Call<unknown>, source: ManagedSource): Error | undefined {
  const { isolationLevel } = options;
  const { isolationLevels } = source.primary.dialect;
  if (!isolationLevel || isolationLevels.includes(isolationLevel)) return undefined;
  return new InvalidOptionsError(
    `transaction options.isolationLevel is ${isolationLevel}, and the database of data source "${source.name}" has ${isolationLevels.join(', ')} only. Leave it out.`,
  );
}

/** The error of a MANDATORY call without a transaction, and of a NEVER call inside one. */
export function outOfPlace(
  name: string,
  source: ManagedSource,
  scope: TransactionScope | undefined,
): PropagationError {
  return new PropagationError(
    scope
      ? `"${name}" has propagation NEVER and was called inside the transaction of "${scope.transaction.name}". Call it outside, or through runOutsideTransaction().`
      : `"${name}" has propagation MANDATORY and was called outside a transaction of data source "${source.name}". ` +
          'Call it from a method that begins one, or make it REQUIRED.',
  );
}

/** The error of a statement that holds COMMIT or ROLLBACK itself, or runs what commits implicitly: EXECUTE of a TRUNCATE. */
export function endedByStatement(name: string, cause?: unknown): TransactionControlError {
  return new TransactionControlError(
    `A statement ended the transaction of "${name}" by itself. ` +
      'What came before it is committed or rolled back already. Remove COMMIT and ROLLBACK from it, and what commits implicitly, as DDL of MySQL does.',
    { cause },
  );
}

export type SourceKey = NonNullable<Frame['source']>;

/**
 * Refuses a call on `sources`. Its method is not called, unless it may be a synchronous one: a helper that has no use
 * for a transaction does its work and answers. What it asks of the database all the same is refused, and so is the call
 * when it answers a promise, an Observable or a stream.
 */
export function refuse<T>(call: Call<T>, error: Error, ...sources: SourceKey[]): T | Promise<T> {
  if (call.plainValue === 'wrapped') return Promise.reject(error);
  let frame = currentFrame();
  for (const source of sources)
    frame = { parent: frame, source, scope: new RefusedScope(call.name, { error, source }) };
  const result = runInFrame(frame, () => callWork(call.work));
  if (result.kind === 'promise') {
    result.promise.catch(() => {});
    return Promise.reject(error);
  }
  if (result.kind === 'value' && lazyKind(result.value)) throw error;
  return valueOf(result);
}

/** Stands where a method that was refused its transaction runs all the same: it takes nothing. */
class RefusedScope implements AmbientScope {
  readonly transaction: { readonly source: SourceKey };
  readonly name: string;
  readonly closed = true;
  readonly #refusal: Error;

  constructor(name: string, { error, source }: { error: Error; source: SourceKey }) {
    this.name = name;
    this.#refusal = error;
    this.transaction = { source };
  }

  submit(): Promise<never> {
    return Promise.reject(this.closedError());
  }

  connect(): Promise<Session> {
    return Promise.reject(this.closedError());
  }

  beginManual(): ManualSavepoint {
    throw this.closedError();
  }

  closedError(): TransactionClosedError {
    return new TransactionClosedError(
      `"${this.name}" could have no transaction, for the reason in the cause, so what it started was not done. ` +
        'Make the method async, so that its caller is told; start work that needs no transaction with runOutsideTransaction().',
      { cause: this.#refusal },
    );
  }
}
