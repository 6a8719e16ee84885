import {
  describeError,
  getLogger,
  HoldfastError,
  type IsolationLevel,
  invalid,
  InvalidOptionsError,
  isHoldfastErrorClass,
  ISOLATION_LEVELS,
  optional,
  readBoolean,
  readDurationMs,
  type Reader,
  readInteger,
  readOneOf,
  readOptions,
  readString,
  withDefault,
} from '../core/index.js';
import { DEFAULT_SOURCE } from '../connection/index.js';
import { holds, type Predicate, readPredicate } from './predicate.js';
import { type Propagation, PROPAGATIONS } from './propagation.js';

/** An error class, or a synchronous function that says whether an error is meant. */
export type ErrorMatcher = (abstract new (...args: never[]) => Error) | Predicate;

/** How often, and after which errors, a whole transaction is run again. */
export interface RetryOptions {
  /** Runs in total, the first one included: 1 to 100. Default: 3. */
  readonly attempts?: number;
  /** Pause before the second run, in milliseconds; doubles each time, up to `maxBackoffMs`. Default: 20. */
  readonly backoffMs?: number;
  /** The longest pause, in milliseconds. Default: 1000. */
  readonly maxBackoffMs?: number;
  /** Which errors; synchronous. Default: serialization failure (40001) and deadlock (40P01). */
  readonly on?: Predicate;
}

/** Options of `@Transactional`, `runInTransaction` and `transactional`. */
export interface TransactionOptions {
  /**
   * The name of the data source, or the names of several, each with a transaction of its own. Those are committed in this
   * order once all of them can be; `PartialCommitError` says when a later COMMIT failed. Default: `default`.
   */
  readonly dataSource?: string | readonly string[];
  /** Default: `REQUIRED`. */
  readonly propagation?: Propagation;
  /** Default: the server's. Joining a transaction of another level throws `IsolationMismatchError`. */
  readonly isolationLevel?: IsolationLevel;
  /** Begins READ ONLY, on a replica where one is configured. Default: false. */
  readonly readOnly?: boolean;
  /**
   * MySQL and MariaDB: lets DDL, and whatever else the server commits before, be sent. What came before it is then
   * committed and stays; what comes after it is in a new transaction. Without it such a statement is refused. Not with
   * `retry`, nor over several data sources. PostgreSQL has DDL in the transaction anyway. Default: false.
   */
  readonly allowImplicitCommit?: boolean;
  /** Milliseconds after which what runs is cancelled and everything is rolled back. Default: none. */
  readonly timeoutMs?: number;
  /**
   * When given, only these errors roll back; after any other the work is committed and the error is thrown. An error of
   * holdfast always rolls back: it says that something of the work could not be kept.
   */
  readonly rollbackOn?: ErrorMatcher | readonly ErrorMatcher[];
  /** After these errors, but never after one of holdfast, the work is committed, and the error is thrown. Stronger than `rollbackOn`. */
  readonly commitOn?: ErrorMatcher | readonly ErrorMatcher[];
  /** Only the call that begins the transaction retries, and it runs the whole method again. Default: no retry. */
  readonly retry?: RetryOptions;
  /** For messages, logs and leases. Default: `Class.method`, or the function's name. */
  readonly name?: string;
}

export interface ParsedRetry {
  readonly attempts: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly on: Predicate | undefined;
}

export interface ParsedOptions {
  /** Several names are two at least. */
  readonly dataSource: string | readonly string[];
  readonly propagation: Propagation;
  readonly isolationLevel: IsolationLevel | undefined;
  readonly readOnly: boolean;
  readonly allowImplicitCommit: boolean | undefined;
  readonly timeoutMs: number | undefined;
  readonly rollbackOn: readonly ErrorMatcher[] | undefined;
  readonly commitOn: readonly ErrorMatcher[] | undefined;
  readonly retry: ParsedRetry | undefined;
  readonly name: string | undefined;
}

const WITHOUT_TRANSACTION: readonly Propagation[] = ['NOT_SUPPORTED', 'NEVER'];
const NEEDS_TRANSACTION = [
  'isolationLevel',
  'allowImplicitCommit',
  'timeoutMs',
  'retry',
  'rollbackOn',
  'commitOn',
] as const;

const readMatchers: Reader<readonly ErrorMatcher[]> = (value, path) => {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const item of list) {
    if (typeof item !== 'function')
      throw invalid(path, item, 'an error class, a predicate, or an array of them');
    readPredicate(item, path);
  }
  return Object.freeze([...list]) as readonly ErrorMatcher[];
};

const readCommitOn: Reader<readonly ErrorMatcher[]> = (value, path) => {
  const matchers = readMatchers(value, path);
  const ours = matchers.find(isHoldfastErrorClass);
  if (ours) {
    throw invalid(path, ours, 'no class of holdfast, after whose errors the work is always rolled back');
  }
  return matchers;
};

const readDataSource: Reader<string | readonly string[]> = (value, path) => {
  if (!Array.isArray(value)) return readString(value, path);
  const names = value.map((name, index) => readString(name, `${path}[${index}]`));
  if (names.length === 0 || new Set(names).size < names.length)
    throw new InvalidOptionsError(`${path} must be a name or an array of names, each of them once.`);
  return names.length === 1 ? names[0]! : Object.freeze(names);
};

const readRetry: Reader<ParsedRetry> = (value, path) =>
  readOptions<ParsedRetry>(
    value,
    {
      attempts: withDefault(readInteger(1, 100), 3),
      backoffMs: withDefault(readDurationMs, 20),
      maxBackoffMs: withDefault(readDurationMs, 1000),
      on: optional(readPredicate),
    },
    path,
  );

/** Reads the options once, at the door. Throws `InvalidOptionsError`. */
export function parseTransactionOptions(raw: TransactionOptions | undefined): ParsedOptions {
  return raw === undefined ? (defaults ??= parse(raw)) : parse(raw);
}

let defaults: ParsedOptions | undefined;

function parse(raw: TransactionOptions | undefined): ParsedOptions {
  const parsed = readOptions<ParsedOptions>(
    raw,
    {
      dataSource: withDefault(readDataSource, DEFAULT_SOURCE),
      propagation: withDefault(readOneOf(PROPAGATIONS), 'REQUIRED'),
      isolationLevel: optional(readOneOf(ISOLATION_LEVELS)),
      readOnly: withDefault(readBoolean, false),
      allowImplicitCommit: optional(readBoolean),
      timeoutMs: optional(readDurationMs),
      rollbackOn: optional(readMatchers),
      commitOn: optional(readCommitOn),
      retry: optional(readRetry),
      name: optional(readString),
    },
    'transaction options',
  );
  if (parsed.allowImplicitCommit && (parsed.retry || typeof parsed.dataSource !== 'string')) {
    throw new InvalidOptionsError(
      'transaction options.allowImplicitCommit cannot be combined with retry, which would do again what is committed already, nor with several data sources. Remove one of the two.',
    );
  }
  if (WITHOUT_TRANSACTION.includes(parsed.propagation)) {
    const useless = NEEDS_TRANSACTION.find((key) => parsed[key] !== undefined);
    if (useless) {
      throw new InvalidOptionsError(
        `transaction options.${useless} has no meaning with propagation ${parsed.propagation}, which runs without a transaction. Remove one of the two.`,
      );
    }
  }
  return parsed;
}

/**
 * Whether the work is rolled back after this error: always after one of holdfast, which says that something of the
 * work could not be kept, and when a predicate, by throwing or by answering a promise, cannot say.
 */
export function rollsBackOn(error: unknown, { rollbackOn, commitOn }: ParsedOptions): boolean {
  if (error instanceof HoldfastError) return true;
  try {
    if (commitOn && matches(error, commitOn)) return false;
    return rollbackOn === undefined || matches(error, rollbackOn);
  } catch (failure) {
    getLogger().error(
      { error: describeError(failure) },
      'holdfast: a predicate of rollbackOn or commitOn failed; the work is rolled back',
    );
    return true;
  }
}

function matches(error: unknown, matchers: readonly ErrorMatcher[]): boolean {
  return matchers.some((matcher) =>
    isErrorClass(matcher) ? error instanceof matcher : holds(matcher as Predicate, error),
  );
}

function isErrorClass(matcher: ErrorMatcher): matcher is abstract new (...args: never[]) => Error {
  // Not `instanceof Error`: a class of another realm, as jest's, is one as well.
  const { prototype } = matcher as { prototype?: object };
  return prototype !== undefined && 'message' in prototype && 'name' in prototype;
}
