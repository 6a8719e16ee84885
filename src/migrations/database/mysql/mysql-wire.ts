/** What a server's OK packet says of a connection. https://mariadb.com/kb/en/ok_packet/#server-status-flag */
export const IN_TRANSACTION = 1;
export const NO_BACKSLASH_ESCAPES = 512;

/** One answer within those to a packet of statements. */
export interface WireResult {
  /** Names of the columns; absent for an answer without rows. */
  readonly columns: readonly string[] | undefined;
  /** Rows as arrays, where they were asked for. */
  readonly rows: readonly (readonly unknown[])[];
  /** Rows that were changed, or read. */
  readonly rowCount: number;
  /** `undefined` where the driver hides it. */
  readonly warningCount: number | undefined;
}

/** What came for a packet of statements: the results before the error, where there is one. */
export interface WireAnswer {
  readonly results: readonly WireResult[];
  readonly error: Error | undefined;
  /**
   * The rows that had come behind the last of the results, where the driver does not say whether the error cut them off or
   * followed their end.
   */
  readonly open?: WireResult | undefined;
}

/** A connection of a MySQL driver, as a session needs it. */
export interface MysqlWire {
  readonly driver: 'mysql2' | 'mariadb';
  /** The driver's connection. */
  readonly native: object;
  /** Whether the connection was opened with the right to send several statements in one packet. */
  readonly takesSeveral: boolean;
  /** The status flags of the last answer; an error carries none. */
  readonly status: number;
  /** Why it was lost. */
  readonly lost: Error | undefined;
  /**
   * Sends `sql` as it is, behind what was sent before and is not answered. Rows are kept of the results whose place `keepsRows`
   * names, and thrown away otherwise. Never rejects.
   */
  send(sql: string, keepsRows: (place: number) => boolean): Promise<WireAnswer>;
  /** Ends the connection. Never rejects. */
  close(): Promise<void>;
}
