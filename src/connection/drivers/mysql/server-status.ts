/** Flags of a server's OK and EOF packets. https://mariadb.com/kb/en/ok_packet/#server-status-flag */
const IN_TRANSACTION = 1;
const AUTOCOMMIT = 2;

/** Errors after which the server has rolled back the transaction, and says so. */
const ROLLS_BACK: ReadonlySet<number> = new Set([
  1213, // deadlock
  1205, // lock wait timeout, with innodb_rollback_on_timeout
  1020, // MariaDB with innodb_snapshot_isolation: the record has changed since it was read
  1614, // XA: deadlock
]);

/** What the server has said of one connection. Its flags come with every answer except errors. */
export class ServerStatus {
  inTransaction = false;
  autocommit = true;
  /** Whether the server has said "no transaction" since {@link expectTransaction}, and had said "transaction" before. */
  #leftTransaction = false;
  #expected = false;

  receive(flags: number): void {
    this.inTransaction = (flags & IN_TRANSACTION) !== 0;
    this.autocommit = (flags & AUTOCOMMIT) !== 0;
    if (!this.inTransaction) this.#leftTransaction = this.#expected;
  }

  /** From now on an answer that is not of a transaction means that a statement has ended it, if there is one. */
  expectTransaction(): void {
    this.#expected = this.inTransaction;
    this.#leftTransaction = false;
  }

  get leftTransaction(): boolean {
    return this.#leftTransaction;
  }
}

/** Whether the end of the transaction is what this error tells, and nothing that a statement did by itself. */
export function tellsOfRollback(error: unknown): boolean {
  return ROLLS_BACK.has((error as { errno?: number }).errno ?? 0);
}
