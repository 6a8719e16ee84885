import type { CommentLine, SourcePosition } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';

/** What the directives of a file say. */
export interface ScriptDirectives {
  readonly noTransaction: boolean;
  readonly lockTimeoutMs: number | undefined;
  readonly statementTimeoutMs: number | undefined;
  readonly verify: readonly VerifyClause[];
}

/** A query that must return no rows. */
export interface VerifyClause {
  readonly when: 'before' | 'after';
  readonly sql: string;
  readonly position: SourcePosition;
}

/** What has to be known of a script before its first statement is sent. */
export interface ScriptProfile {
  readonly script: string;
  readonly bytes: number;
  readonly statements: number;
  readonly directives: ScriptDirectives;
  /** Whether one transaction can hold all of it. */
  readonly isTransactional: boolean;
  readonly isRecursive: boolean;
  readonly changesSession: boolean;
}

/** Gathers the profile of a script while it is read for the first time. */
export class ProfileBuilder {
  readonly #script: string;
  readonly #bytes: number;
  #noTransaction = false;
  #verify: VerifyClause[] = [];
  #lockTimeoutMs: number | undefined;
  #statementTimeoutMs: number | undefined;
  #statements = 0;
  #standsAlone = false;
  #isRecursive = false;
  #changesSession = false;

  constructor({ script, bytes }: Pick<ScriptProfile, 'script' | 'bytes'>) {
    this.#script = script;
    this.#bytes = bytes;
  }

  addComment({ text, start }: CommentLine): void {
    const t = text.replace(/^-*\s*/, '').trim();
    if (t === 'no-transaction') this.#noTransaction = true;
    const [, when, sql] = /^verify(-before)?:\s*(.*)$/.exec(t) ?? [];
    if (sql) this.#verify.push({ when: when ? 'before' : 'after', sql, position: start });
    const [, n] = /^lock-timeout:\s*(\d+)s$/.exec(t) ?? [];
    if (n) this.#lockTimeoutMs = Number(n) * 1000;
  }

  addStatement({ standsAlone, isRecursive, changesSession }: StatementTraits): void {
    this.#statements++;
    this.#standsAlone ||= standsAlone;
    this.#isRecursive ||= isRecursive;
    this.#changesSession ||= changesSession;
  }

  build(): ScriptProfile {
    return {
      script: this.#script,
      bytes: this.#bytes,
      statements: this.#statements,
      directives: {
        noTransaction: this.#noTransaction,
        lockTimeoutMs: this.#lockTimeoutMs,
        statementTimeoutMs: this.#statementTimeoutMs,
        verify: this.#verify,
      },
      isTransactional: !this.#noTransaction && !this.#standsAlone,
      isRecursive: this.#isRecursive,
      changesSession: this.#changesSession,
    };
  }
}
