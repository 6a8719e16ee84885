/** A statement as the proxy saw it pass. */
export interface SeenStatement {
  readonly text: string;
  /** Counts the connections of the proxy from 1. */
  readonly connection: number;
  /** The server's process, as in pg_stat_activity. */
  readonly pid: number | undefined;
  /** The client's flight it travelled in: statements of one flight cost one round trip together. */
  readonly flight: number;
  readonly protocol: 'simple' | 'extended';
  /**
   * `sent` until the server answers. `skipped`: an earlier statement of the same pipeline failed. `faulted`: a
   * fault answered it, or cut the connection before the server saw it.
   */
  outcome: 'sent' | 'completed' | 'failed' | 'skipped' | 'faulted';
  /** The command tag of the answer, for example `INSERT 0 1`. */
  tag?: string;
  sqlstate?: string;
}
