import type { Directives } from '../sql/directives.js';
import { DirectiveReader } from '../sql/directives.js';
import type { CommentLine } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';

/** What has to be known of a script before its first statement is sent. */
export interface ScriptProfile {
  readonly script: string;
  readonly bytes: number;
  readonly statements: number;
  readonly directives: Directives;
  /** Whether one transaction can hold all of it. */
  readonly isTransactional: boolean;
  readonly isRecursive: boolean;
  readonly changesSession: boolean;
}

/** Gathers the profile of a script while it is read for the first time. */
export class ProfileBuilder {
  readonly #of: Pick<ScriptProfile, 'script' | 'bytes'>;
  readonly #directives = new DirectiveReader();
  #statements = 0;
  #standsAlone = false;
  #isRecursive = false;
  #changesSession = false;

  constructor(of: Pick<ScriptProfile, 'script' | 'bytes'>) {
    this.#of = of;
  }

  /** Throws `SqlSyntaxError` for a directive that is none. */
  addComment(comment: CommentLine): void {
    this.#directives.add(comment, this.#statements);
  }

  addStatement({ standsAlone, isRecursive, changesSession }: StatementTraits): void {
    this.#statements++;
    this.#standsAlone ||= standsAlone;
    this.#isRecursive ||= isRecursive;
    this.#changesSession ||= changesSession;
  }

  /** Whether the head of the file says `-- no-transaction`. */
  get noTransaction(): boolean {
    return this.#directives.noTransaction;
  }

  build(): ScriptProfile {
    const directives = this.#directives.finish();
    return {
      ...this.#of,
      directives,
      statements: this.#statements,
      isTransactional: !directives.noTransaction && !this.#standsAlone,
      isRecursive: this.#isRecursive,
      changesSession: this.#changesSession,
    };
  }
}
