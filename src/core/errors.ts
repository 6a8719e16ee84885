const BRAND = Symbol.for('holdfast.error/1');

/** What every holdfast error carries beside its message. */
export interface HoldfastErrorDetails {
  /** The error that led to this one. Kept as it is: a driver error keeps its SQLSTATE. */
  readonly cause?: unknown;
  /** Whether running the whole transaction again can succeed. Default: false. */
  readonly retryable?: boolean;
}

/**
 * The base of every error that holdfast throws.
 *
 * `code` is stable across releases; messages are not. `instanceof` works across the ESM and the CJS copy of
 * this package in one process, because it looks at a registered symbol and the code, not at the prototype.
 *
 * @example
 * ```ts
 * try {
 *   await service.transfer();
 * } catch (error) {
 *   if (error instanceof HoldfastError && error.retryable) requeue(job);
 *   else throw error;
 * }
 * ```
 */
export abstract class HoldfastError extends Error {
  /** Stable, upper-case identifier of this kind of error, for example `TRANSACTION_CLOSED`. */
  abstract readonly code: string;
  /** Whether running the whole transaction again can succeed. */
  readonly retryable: boolean;

  constructor(message: string, details: HoldfastErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.retryable = details.retryable ?? false;
    Object.defineProperty(this, BRAND, { value: true });
  }

  static {
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null || !(BRAND in value)) return false;
    if (this === HoldfastError) return true;
    // An application's own subclass has no registered code: for it the prototype decides, as for any class.
    if (!Object.hasOwn(this, 'code')) return super[Symbol.hasInstance](value);
    return (value as { code?: unknown }).code === (this as { readonly code?: unknown }).code;
  }
}

/** Whether a function is `HoldfastError` or one of the classes derived from it, whichever copy of the package made it. */
export function isHoldfastErrorClass(value: object): boolean {
  return BRAND in value;
}

/** Thrown when an option has the wrong type or an unknown name. The message holds the path, the value's type and what is allowed. */
export class InvalidOptionsError extends HoldfastError {
  static readonly code = 'INVALID_OPTIONS';
  readonly code = InvalidOptionsError.code;
}

/**
 * The message of anything that was thrown, for building another message: of a MySQL driver's error what the server said
 * alone, for the mariadb connector adds the statement and its parameters.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { sqlMessage } = error as { sqlMessage?: unknown };
  return typeof sqlMessage === 'string' ? sqlMessage : error.message;
}
