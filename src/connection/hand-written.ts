import type { AmbientScope, ManualModes, ManualSavepoint } from './ambient-scope.js';
import { currentFrame } from './context.js';

/**
 * The transactions that were begun by hand, and not ended yet, on one client or QueryRunner inside a transaction. Each
 * is a savepoint. They begin and end in the order of asking, as statements on one client do, awaited or not.
 */
export class HandWrittenTransactions {
  readonly #label: string;
  readonly #open: ManualSavepoint[] = [];

  /** `label` names them in messages. */
  constructor(label: string) {
    this.#label = label;
  }

  get any(): boolean {
    return this.#open.length > 0;
  }

  async begin(scope: AmbientScope, { isolationLevel, readOnly }: ManualModes): Promise<void> {
    const frame = currentFrame();
    const savepoint =
      frame?.scope === scope && frame.beginManual
        ? frame.beginManual()
        : scope.beginManual({ isolationLevel, readOnly, label: this.#label, by: this });
    this.#open.push(savepoint);
    try {
      await savepoint.begun;
    } catch (error) {
      const index = this.#open.indexOf(savepoint);
      if (index !== -1) this.#open.splice(index, 1);
      throw error;
    }
  }

  /** Ends the innermost; false when there is none. One that could not be committed is still there to be rolled back. */
  async end(how: 'release' | 'rollback', scope: AmbientScope): Promise<boolean> {
    const savepoint = this.#open.pop();
    if (!savepoint) return false;
    try {
      await savepoint[how](scope);
    } catch (error) {
      this.#open.push(savepoint);
      throw error;
    }
    return true;
  }

  /** Rolls back whatever is open, innermost first, as the server does when a session ends. */
  async rollBackAll(scope: AmbientScope): Promise<void> {
    await Promise.all(
      this.#open
        .splice(0)
        .reverse()
        .map((savepoint) => savepoint.rollback(scope)),
    );
  }
}

/** The class without its private fields, which make the types of the package's ESM and CJS copies differ. */
export type ManualTransactions = Pick<HandWrittenTransactions, keyof HandWrittenTransactions>;
