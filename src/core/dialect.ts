/** The SQL standard's isolation levels, as both PostgreSQL and MySQL spell them. */
export const ISOLATION_LEVELS = [
  'READ UNCOMMITTED',
  'READ COMMITTED',
  'REPEATABLE READ',
  'SERIALIZABLE',
] as const;

/** One of {@link ISOLATION_LEVELS}. */
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/** What a transaction asks for when it begins. */
export interface BeginOptions {
  readonly isolationLevel: IsolationLevel | undefined;
  readonly readOnly: boolean;
}

/** Everything in which two databases differ as far as transactions go. */
export interface Dialect {
  begin(options: BeginOptions): string;
  savepoint(name: string): string;
  releaseSavepoint(name: string): string;
  /** Undoes what came after the savepoint, and the savepoint with it. */
  undoSavepoint(name: string): string;
  /** Errors after which the same transaction, run again from its start, can succeed. Code -> reason. */
  readonly retryableCodes: ReadonlyMap<string, string>;
}

/** https://www.postgresql.org/docs/current/sql-begin.html, errcodes-appendix.html */
export const postgresDialect: Dialect = {
  begin({ isolationLevel, readOnly }) {
    if (!isolationLevel && !readOnly) return 'BEGIN';
    const modes = [];
    if (isolationLevel) modes.push(`ISOLATION LEVEL ${isolationLevel}`);
    if (readOnly) modes.push('READ ONLY');
    return `BEGIN ${modes.join(' ')}`;
  },
  savepoint: (name) => `SAVEPOINT ${name}`,
  releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
  undoSavepoint: (name) => `ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`,
  retryableCodes: new Map([
    ['40001', 'serialization failure'],
    ['40P01', 'deadlock detected'],
  ]),
};
