import type { StatementTraits } from './traits.js';

/** The traits of the INSERT before: thousands in a row are into one table, and have them in common. */
export class LastInsert {
  #head: string | undefined;
  #traits: StatementTraits | undefined;

  /** `head`: what of the text says all that is read of it. */
  traitsOf(head: string, isRecursive: boolean, read: () => StatementTraits): StatementTraits {
    if (this.#traits === undefined || this.#head !== head || this.#traits.isRecursive !== isRecursive) {
      this.#traits = read();
      this.#head = head;
    }
    return this.#traits;
  }
}
