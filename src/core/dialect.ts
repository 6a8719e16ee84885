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
  /** The family of databases that speak it. */
  readonly name: 'postgres' | 'mysql' | 'sqlite';
  /** The levels that the database has. */
  readonly isolationLevels: readonly IsolationLevel[];
  /** What begins a transaction, in order. */
  begin(options: BeginOptions): readonly string[];
  savepoint(name: string): string;
  releaseSavepoint(name: string): string;
  /** Undoes what came after the savepoint. The savepoint itself need not be used again. */
  undoSavepoint(name: string): string;
  /** Makes the server check now what it could otherwise refuse at COMMIT. */
  readonly checkBeforeCommit: string;
  /** Errors after which the same transaction, run again from its start, can succeed. Code -> reason. */
  readonly retryableCodes: ReadonlyMap<string, string>;
  /** What a person can do to learn what became of a COMMIT without an answer. `null`: nothing was written; `undefined`: no id was learnt. */
  howToSettle(transactionId: string | null | undefined): string;
}

const LOOK_IN_THE_DATA = 'look in the data itself for what it writes, before you repeat anything.';

/** https://www.postgresql.org/docs/current/sql-begin.html, errcodes-appendix.html */
export const postgresDialect: Dialect = {
  name: 'postgres',
  isolationLevels: ISOLATION_LEVELS,
  begin({ isolationLevel, readOnly }) {
    // One expression on purpose. V8 11 (Node 20) moves a `[]` that only branches not yet taken use in front of them,
    // between two allocations that it made one, and the heap is corrupt: test/consumers/app/load.test.ts.
    const isolation = isolationLevel ? ` ISOLATION LEVEL ${isolationLevel}` : '';
    return [`BEGIN${isolation}${readOnly ? ' READ ONLY' : ''}`];
  },
  savepoint: (name) => `SAVEPOINT ${name}`,
  releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
  undoSavepoint: (name) => `ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`,
  checkBeforeCommit: 'SET CONSTRAINTS ALL IMMEDIATE',
  retryableCodes: new Map([
    ['40001', 'serialization failure'],
    ['40P01', 'deadlock detected'],
  ]),
  howToSettle(transactionId) {
    if (transactionId === null)
      return 'It wrote no row, so only a NOTIFY or work on a foreign server can be lost.';
    return transactionId
      ? `Run SELECT pg_xact_status('${transactionId}') on the primary when it answers again, before you repeat anything.`
      : `Its transaction id was not learnt: ${LOOK_IN_THE_DATA}`;
  },
};

/** https://dev.mysql.com/doc/refman/8.4/en/commit.html, https://mariadb.com/kb/en/start-transaction/ */
export const mysqlDialect: Dialect = {
  name: 'mysql',
  isolationLevels: ISOLATION_LEVELS,
  begin({ isolationLevel, readOnly }) {
    const start = readOnly ? 'START TRANSACTION READ ONLY' : 'START TRANSACTION';
    // It holds for the next transaction only, and is refused inside of one.
    return isolationLevel ? [`SET TRANSACTION ISOLATION LEVEL ${isolationLevel}`, start] : [start];
  },
  savepoint: (name) => `SAVEPOINT ${name}`,
  releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
  // The savepoint stays until the transaction ends; to release it as well would cost a round trip.
  undoSavepoint: (name) => `ROLLBACK TO SAVEPOINT ${name}`,
  // It refuses nothing at COMMIT that it did not refuse before; whether the connection is there is all that it can say.
  checkBeforeCommit: 'DO 0',
  // By the drivers' names, and by number as Prisma has them.
  retryableCodes: new Map([
    ['ER_LOCK_DEADLOCK', 'deadlock'],
    ['1213', 'deadlock'],
    // By default the server undoes the statement alone. holdfast rolls the rest back before it runs the method again.
    ['ER_LOCK_WAIT_TIMEOUT', 'lock wait timeout'],
    ['1205', 'lock wait timeout'],
    // MariaDB with innodb_snapshot_isolation.
    ['ER_CHECKREAD', 'record has changed since it was read'],
    ['1020', 'record has changed since it was read'],
  ]),
  howToSettle: () => `MySQL cannot be asked what became of a transaction: ${LOOK_IN_THE_DATA}`,
};

/** https://www.sqlite.org/lang_transaction.html, https://www.sqlite.org/isolation.html */
export const sqliteDialect: Dialect = {
  name: 'sqlite',
  isolationLevels: ['SERIALIZABLE'],
  // It has no read-only transaction; the connection refuses writes until the lease ends.
  begin: ({ readOnly }) => (readOnly ? ['BEGIN', 'PRAGMA query_only = ON'] : ['BEGIN']),
  savepoint: (name) => `SAVEPOINT ${name}`,
  releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
  undoSavepoint: (name) => `ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`,
  // It has no statement that fails for what it would refuse at COMMIT, and no connection to be lost.
  checkBeforeCommit: 'SELECT 1',
  // Another process, or another connection, holds the file.
  retryableCodes: new Map([
    ['SQLITE_BUSY', 'the database is locked'],
    ['SQLITE_BUSY_SNAPSHOT', 'the data has changed since it was read'],
    ['SQLITE_BUSY_RECOVERY', 'another process recovers the write-ahead log'],
    ['SQLITE_BUSY_TIMEOUT', 'the database is locked'],
  ]),
  // It runs inside the process, and answers always.
  howToSettle: () => LOOK_IN_THE_DATA,
};
