import { statSync } from 'node:fs';
import type { MigrationBody } from '../migration.js';
import { contentOf } from '../sources/kept-content.js';
import { readSqlBody } from '../sources/read-text.js';
import { replacePlaceholders } from '../sql/placeholders.js';
import type { ScriptItem, SourcePosition, Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';
import { problemOf } from './problem-of.js';
import { type Language, languageOf } from './language.js';
import type { RunContext } from './run-context.js';
import { LeftOut } from './left-out.js';
import { placeIn } from './place.js';
import { ScriptFailure, ScriptProblem } from './script-problem.js';
import { isBuiltIn, noValueProblem } from './script-values.js';
import { ProfileBuilder, type ScriptProfile } from './script-profile.js';
import { TransactionControl } from './transaction-control.js';

/** A statement of a script, and what has to be known of it. */
export interface ScriptStatement {
  readonly statement: Statement;
  readonly traits: StatementTraits;
}

export interface ScriptSource {
  readonly context: RunContext;
  readonly script: string;
  readonly body: Extract<MigrationBody, { kind: 'sql' }>;
}

/** Files of no more bytes are split once, which takes up to 40 MB; larger ones a second time while they run. */
const KEPT_BYTES = 8 * 1024 * 1024;

/**
 * A file of SQL. It is read twice: once to know what it holds, and once to run it, so that one that is larger than
 * memory can be run. What a small one holds is kept from the first time.
 */
export class Script {
  readonly language: Language;
  readonly profile: ScriptProfile;
  /** Its statements, where they are few enough to be kept and hold no data of COPY. */
  readonly kept: readonly ScriptStatement[] | undefined;
  readonly #source: ScriptSource;

  private constructor(
    source: ScriptSource,
    parts: { language: Language; profile: ScriptProfile; kept: readonly ScriptStatement[] | undefined },
  ) {
    this.#source = source;
    this.language = parts.language;
    this.profile = parts.profile;
    this.kept = parts.kept;
  }

  /** Reads the file through. Throws `ScriptFailure` for one that could never be sent as it is. */
  static async open(source: ScriptSource): Promise<Script> {
    const { context, script, body } = source;
    const language = await languageOf(context.session);
    try {
      const size = contentOf(body)?.length ?? statSync(body.path).size;
      const builder = new ProfileBuilder({ script, bytes: size });
      let kept: ScriptStatement[] | undefined = size <= KEPT_BYTES ? [] : undefined;
      const leftOut = new LeftOut(() => builder.noTransaction);
      const control = new TransactionControl(() => builder.noTransaction);
      const onUndeclared = (name: string, position: SourcePosition): void => {
        if (isBuiltIn(name)) throw noValueProblem(name, position);
        const message = `\${${name}} in line ${position.line} is no declared placeholder: it was left as it is.`;
        context.emit({ kind: 'note', script, message });
      };
      for await (const items of groupsOf(source, language, onUndeclared))
        for (const item of items) {
          if (item.kind === 'comment') {
            builder.addComment(item);
            continue;
          }
          const traits = language.readTraits(item, context.session.server.versionNumber);
          if (leftOut.leavesOut(item, traits)) continue;
          if (traits.command === 'DISCARD ALL') throw discardProblem(item);
          if (traits.controlsTransaction) control.check({ statement: item, traits });
          builder.addStatement(traits);
          // Its data can be read while it passes by, and only then.
          if (item.kind === 'copy') kept = undefined;
          kept?.push({ statement: item, traits });
        }
      control.end();
      const profile = builder.build();
      for (const message of leftOut.notes()) context.emit({ kind: 'note', script, message });
      return new Script(source, { language, profile, kept });
    } catch (error) {
      throw new ScriptFailure(problemOf(context.session, error), {
        effect: 'rolled back',
        left: 'Nothing of it was sent.',
      });
    }
  }

  /** Whether the word stands anywhere in it, in whatever case; undefined where not all of it was kept. */
  names(word: string): boolean | undefined {
    const lower = word.toLowerCase();
    return this.kept?.some(({ statement }) => statement.text.toLowerCase().includes(lower));
  }

  /** Its statements in their order, in groups: to wait for each by itself takes longer than to read it. */
  async *groups(): AsyncGenerator<readonly ScriptStatement[], void, undefined> {
    if (this.kept !== undefined) {
      yield this.kept;
      return;
    }
    const { versionNumber } = this.#source.context.session.server;
    const { noTransaction } = this.profile.directives;
    const leftOut = new LeftOut(() => noTransaction);
    for await (const items of groupsOf(this.#source, this.language)) {
      const group: ScriptStatement[] = [];
      for (const item of items) {
        if (item.kind === 'comment') continue;
        const traits = this.language.readTraits(item, versionNumber);
        if (!leftOut.leavesOut(item, traits)) group.push({ statement: item, traits });
      }
      yield group;
    }
  }
}

function discardProblem(statement: Statement): ScriptProblem {
  return new ScriptProblem('DISCARD ALL would release the migration lock, which the session holds', {
    place: placeIn(statement),
    next: 'Take it out: what a file sets is reset behind it. DISCARD PLANS, SEQUENCES and TEMP may stay.',
  });
}

/** Statements and comments. Throws `SqlSyntaxError`. */
function groupsOf(
  { body, script, context }: ScriptSource,
  { split }: Language,
  onUndeclared?: (name: string, position: SourcePosition) => void,
): AsyncIterable<readonly ScriptItem[]> {
  const placeholders = context.valuesFor(body.path);
  return split(replacePlaceholders(readSqlBody(body, { script }), { placeholders, onUndeclared }));
}
