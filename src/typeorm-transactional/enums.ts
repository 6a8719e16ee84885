/** What a transactional call does about a transaction that is there already. */
export enum Propagation {
  /** Joins a transaction; without one, refuses. */
  MANDATORY = 'MANDATORY',
  /** A savepoint inside a transaction, or begins one. */
  NESTED = 'NESTED',
  /** Refuses to run inside a transaction. */
  NEVER = 'NEVER',
  /** Runs outside any transaction. */
  NOT_SUPPORTED = 'NOT_SUPPORTED',
  /** Joins a transaction, or begins one. The default. */
  REQUIRED = 'REQUIRED',
  /** Begins an independent transaction on a connection of its own; the outer one waits. */
  REQUIRES_NEW = 'REQUIRES_NEW',
  /** Joins a transaction; without one, runs without. */
  SUPPORTS = 'SUPPORTS',
}

/** The SQL standard's isolation levels. */
export enum IsolationLevel {
  /** May see what is not committed yet. PostgreSQL runs it as READ COMMITTED. */
  READ_UNCOMMITTED = 'READ UNCOMMITTED',
  /** Each statement sees what was committed before it began. */
  READ_COMMITTED = 'READ COMMITTED',
  /** Every statement sees what was committed before the first one began. */
  REPEATABLE_READ = 'REPEATABLE READ',
  /** As if transactions ran one after the other. */
  SERIALIZABLE = 'SERIALIZABLE',
}

/** Where the context of a call is kept: an option of `initializeTransactionalContext`. */
export enum StorageDriver {
  /** What is in use already, and else Node's own `AsyncLocalStorage`. */
  AUTO = 'AUTO',
  /** The namespace `@transactional/namespace` of the package `cls-hooked`. */
  CLS_HOOKED = 'CLS_HOOKED',
  /** Node's own `AsyncLocalStorage`. The default. */
  ASYNC_LOCAL_STORAGE = 'ASYNC_LOCAL_STORAGE',
}
