import type { BeginOptions, Dialect } from '../core/index.js';

/**
 * The control statements that are due and that nobody waits for yet: they travel in front of the next statement. One
 * that turns out to be needless is taken back.
 */
export class DueControl {
  readonly #dialect: Dialect;
  readonly #begin: BeginOptions;
  #statements: string[];

  constructor(dialect: Dialect, begin: BeginOptions) {
    this.#dialect = dialect;
    this.#begin = begin;
    this.#statements = [...dialect.begin(begin)];
  }

  /** The transaction has ended, and the next one is due. */
  beginAgain(): void {
    this.#statements = [...this.#dialect.begin(this.#begin)];
  }

  /** Hands over what is due. */
  take(): readonly string[] {
    const due = this.#statements;
    this.#statements = [];
    return due;
  }

  savepoint(name: string): void {
    this.#statements.push(this.#dialect.savepoint(name));
  }

  /** False where the savepoint was never sent: then there is nothing to release. */
  release(savepoint: string): boolean {
    if (this.withdraw(savepoint)) return false;
    this.#statements.push(this.#dialect.releaseSavepoint(savepoint));
    return true;
  }

  /** Takes back a SAVEPOINT that was never sent, and whatever was due inside it. */
  withdraw(savepoint: string): boolean {
    const index = this.#statements.indexOf(this.#dialect.savepoint(savepoint));
    if (index === -1) return false;
    this.#statements.length = index;
    return true;
  }
}
