import type { AmbientScope, ManualModes, ManualSavepoint, NamedSavepoint } from './ambient-scope.js';
import { currentFrame } from './context.js';
import { TransactionControlError } from './errors.js';
import type { SavepointControl } from './savepoint-control.js';

/** What transactions by hand consist of. `sent` is the word that it was sent as: END is a COMMIT. */
export type ManualControl =
  | ({ readonly verb: 'begin' } & ManualModes)
  | { readonly verb: 'commit' | 'rollback'; readonly sent: string }
  | SavepointControl;

/** What messages say of hand-written transactions. */
export interface HandWords {
  /** Names one of them. */
  readonly label: string;
  /** What begins one. */
  readonly begin: string;
  /** Whose they are, with its preposition. */
  readonly where: string;
}

interface Begun {
  readonly name?: undefined;
  readonly manual: ManualSavepoint;
}

interface Named {
  readonly name: string;
  readonly manual: NamedSavepoint;
  readonly scope: AmbientScope;
}

/**
 * The transactions that were begun by hand, and not ended yet, on one client or QueryRunner inside a transaction, and
 * its savepoints by hand. Each is a savepoint. They begin and end in the order of asking, as statements on one client do,
 * awaited or not.
 */
export class HandWrittenTransactions {
  readonly #words: HandWords;
  readonly #open: (Begun | Named)[] = [];

  constructor(words: HandWords) {
    this.#words = words;
  }

  /** Whether a transaction is open. */
  get any(): boolean {
    return this.#open.some(isBegun);
  }

  /** Carries out a statement that is not sent as it is. Throws {@link TransactionControlError} for what is not its own to end. */
  async carryOut(control: ManualControl, scope: AmbientScope): Promise<void> {
    if (control.verb === 'begin') return this.begin(scope, control);
    if ('name' in control) return this.#savepoint(control, scope);
    const { verb, sent } = control;
    if (await this.end(verb === 'commit' ? 'release' : 'rollback', scope)) return;
    if (!scope.autocommit) throw this.#refuseEnd(sent, scope);
  }

  async begin(scope: AmbientScope, { isolationLevel, readOnly }: ManualModes): Promise<void> {
    const frame = currentFrame();
    const label = frame?.begins ?? this.#words.label;
    const manual =
      frame?.scope === scope && frame.beginManual
        ? frame.beginManual()
        : scope.beginManual({ isolationLevel, readOnly, label, by: this });
    await this.#add({ manual });
  }

  /** Ends the innermost; false when there is none. One that could not be committed is still there to be rolled back. */
  async end(how: 'release' | 'rollback', scope: AmbientScope): Promise<boolean> {
    const begun = this.#open.findLast(isBegun);
    if (!begun) return false;
    await this.#take(this.#open.indexOf(begun), () => begun.manual[how](scope));
    return true;
  }

  /** Rolls back whatever is open, innermost first, as the server does when a session ends. */
  async rollBackAll(scope: AmbientScope): Promise<void> {
    await Promise.all(
      this.#open
        .splice(0)
        .reverse()
        .map(async (open) => (isBegun(open) ? open.manual.rollback(scope) : open.manual.forget())),
    );
  }

  async #savepoint(control: SavepointControl, scope: AmbientScope): Promise<void> {
    const { verb, name } = control;
    if (verb === 'savepoint') {
      const mine = (open: Begun | Named): open is Named => open.name === name && open.scope === scope;
      const replaced = control.replaces ? this.#open.find(mine) : undefined;
      if (replaced) {
        this.#open.splice(this.#open.indexOf(replaced), 1);
        return this.#add({ name, scope, manual: { ...replaced.manual, begun: replaced.manual.again() } });
      }
      const manual = scope.setSavepoint!({ label: `a hand-written SAVEPOINT ${name}`, by: this });
      return this.#add({ name, manual, scope });
    }
    const found = this.#open.findLast((open): open is Named => open.name === name && !open.scope.closed);
    if (!found) throw this.#refuseSavepoint(control, scope);
    const index = this.#open.indexOf(found);
    if (verb === 'release') await this.#take(index, () => found.manual.release(scope));
    else await this.#take(index + 1, () => found.manual.undo(scope));
  }

  async #add(open: Begun | Named): Promise<void> {
    this.#open.push(open);
    try {
      await open.manual.begun;
    } catch (error) {
      const index = this.#open.indexOf(open);
      if (index !== -1) this.#open.splice(index, 1);
      throw error;
    }
  }

  /** Takes out those from `index` on, unless they cannot be ended. */
  async #take(index: number, end: () => Promise<void>): Promise<void> {
    const taken = this.#open.splice(index);
    try {
      await end();
    } catch (error) {
      this.#open.push(...taken);
      throw error;
    }
  }

  #refuseEnd(sent: string, { name }: AmbientScope): TransactionControlError {
    const { begin, where } = this.#words;
    return new TransactionControlError(
      `${sent} without a ${begin} ${where} would end the transaction of "${name}" around it; it was not sent. ` +
        'Let the method return to commit, throw to roll back, or call currentTransaction().setRollbackOnly().',
    );
  }

  #refuseSavepoint({ verb, name }: SavepointControl, scope: AmbientScope): TransactionControlError {
    const { where } = this.#words;
    return new TransactionControlError(
      `${verb.toUpperCase()} SAVEPOINT ${name} without a SAVEPOINT ${name} ${where} would reach for what others began in "${scope.name}"; it was not sent. ` +
        'Send SAVEPOINT, ROLLBACK TO and RELEASE on one client or QueryRunner, each as a statement of its own, or use propagation NESTED.',
    );
  }
}

/** The class without its private fields, which make the types of the package's ESM and CJS copies differ. */
export type ManualTransactions = Pick<HandWrittenTransactions, keyof HandWrittenTransactions>;

/** Whether it is carried out by us. A savepoint by hand is the server's where nobody else is on its connection. */
export function isCarriedOut(control: ManualControl, scope: AmbientScope): boolean {
  return !('name' in control) || scope.setSavepoint !== undefined;
}

function isBegun(open: Begun | Named): open is Begun {
  return open.name === undefined;
}
