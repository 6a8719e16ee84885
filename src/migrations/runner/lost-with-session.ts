import type { LeftThing, ReadSessionUse, SessionThing } from '../sql/session-use.js';
import type { Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';
import { placeIn } from './place.js';
import { ScriptProblem } from './script-problem.js';

interface LostThing extends SessionThing {
  readonly line: number;
}

/**
 * What statements of an earlier run had left in its session: variables with what they had read from tables, temporary
 * tables. It ended with that session, and to read it again would give what the tables hold by now. So whatever still
 * has to run and needs it is refused.
 */
export class LostWithSession {
  readonly #read: ReadSessionUse;
  readonly #lost = new Map<string, LostThing>();

  constructor(read: ReadSessionUse) {
    this.#read = read;
  }

  /** Takes a statement that took effect in an earlier run. Returns whether it is to be sent again, for what it sets. */
  pass(statement: Statement, traits: StatementTraits): boolean {
    const { leaves, ends, isSetting, reads } = this.#read(statement, traits);
    if (isSetting) this.#refuse(statement, reads);
    for (const thing of leaves) this.#note(thing, statement);
    for (const name of ends) this.#lost.delete(name);
    return traits.changesSession && (isSetting || !leaves.some(({ name }) => this.#lost.has(name)));
  }

  /** Throws for a statement that is about to run and needs what is gone. */
  check(statement: Statement, traits: StatementTraits): void {
    if (this.#lost.size === 0) return;
    const { leaves, ends, reads } = this.#read(statement, traits);
    this.#refuse(statement, reads);
    for (const { name } of leaves) this.#lost.delete(name);
    for (const name of ends) this.#lost.delete(name);
  }

  #note({ kind, name, isFromData, reads }: LeftThing, { start: { line } }: Statement): void {
    if (isFromData || reads.some((read) => this.#lost.has(read))) this.#lost.set(name, { kind, name, line });
    else this.#lost.delete(name);
  }

  #refuse(statement: Statement, reads: ReadonlySet<string>): void {
    const gone = [...this.#lost.values()].find(({ name }) => reads.has(name));
    if (gone === undefined) return;
    const { message, instead } = explain(gone);
    throw new ScriptProblem(message, {
      place: placeIn(statement),
      staysInTheWay: true,
      next: `${instead} Or take back by hand what the migration did, and run \`repair\`: then it begins anew.`,
    });
  }
}

function explain({ kind, name, line }: LostThing): { readonly message: string; readonly instead: string } {
  switch (kind) {
    case 'variable':
      return {
        message: `the value of ${name}, from line ${line}, went with the session of the earlier run, and what it was read from may have changed since`,
        instead: `Write the value itself in place of ${name} in this statement.`,
      };
    case 'temporary table':
      return {
        message: `the temporary table of line ${line} ended with the session of the earlier run (${name})`,
        instead:
          'Write this statement without that table, or create and fill it again before this statement.',
      };
    case 'prepared statement':
      return {
        message: `what line ${line} prepared ended with the session of the earlier run (${name.replace('statement ', '')})`,
        instead: 'Write the statement itself here, or prepare it again before this statement.',
      };
    case 'last id':
      return {
        message: `${name.toUpperCase()} of line ${line} went with the session of the earlier run`,
        instead: 'Write the id itself in this statement.',
      };
  }
}
