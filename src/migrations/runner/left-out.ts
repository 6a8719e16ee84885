import type { Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';

/**
 * What a dump of MySQL or MariaDB says to its server and no migration needs, so that it is not sent: LOCK TABLES, and where
 * autocommit is switched off (newer versions of mariadb-dump do so by default) the switch and each COMMIT under it.
 */
export class LeftOut {
  readonly #commitsByItself: () => boolean;
  #isCommittedByHand = false;
  /** What a dump kept in a variable, to put it back. */
  #kept = false;
  readonly #locks: number[] = [];
  readonly #commits: number[] = [];

  /** `commitsByItself`: whether the file has said by now, with `-- no-transaction`, that it ends its transactions itself. */
  constructor(commitsByItself: () => boolean) {
    this.#commitsByItself = commitsByItself;
  }

  /** Whether it is left out. To be asked for each statement of a script, in their order. */
  leavesOut({ start }: Statement, { isLeftOut, command, autocommit }: StatementTraits): boolean {
    const isCommit =
      !this.#commitsByItself() &&
      (autocommit !== undefined || (this.#isCommittedByHand && command === 'COMMIT'));
    if (isCommit && autocommit !== undefined) this.#switch(autocommit);
    if (isCommit) this.#commits.push(start.line);
    if (isLeftOut === true) this.#locks.push(start.line);
    return isCommit || isLeftOut === true;
  }

  #switch({ to, keeps }: NonNullable<StatementTraits['autocommit']>): void {
    if (keeps) this.#kept = this.#isCommittedByHand;
    this.#isCommittedByHand = to === 'kept' ? this.#kept : to === 'off';
  }

  /** What is to be told of it. */
  notes(): readonly string[] {
    return [
      ...(this.#locks.length === 0
        ? []
        : [
            `LOCK TABLES and UNLOCK TABLES (${linesOf(this.#locks)}) are left out: the tables of the history could not be written under them, and no other migration runs meanwhile. They keep no application from writing either.`,
          ]),
      ...(this.#commits.length === 0
        ? []
        : [
            `SET autocommit and its COMMIT (${linesOf(this.#commits)}) are left out: what the file writes is committed together with the row that says so.`,
          ]),
    ];
  }
}

function linesOf(lines: readonly number[]): string {
  return lines.length === 1 ? `line ${lines[0]}` : `line ${lines[0]} and ${lines.length - 1} more`;
}
