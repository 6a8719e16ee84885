import type { ResolvedMigration } from '../migration.js';
import type { DryRunScript, DryRunStatement } from '../migrator.js';
import { applySettings, senderOptions } from './apply-in-transaction.js';
import { problemOf } from './problem-of.js';
import { loadCodeMigration } from './load-code-migration.js';
import { abridge } from '../sql/abridge.js';
import { sourceText } from '../sql/source-text.js';
import type { RunContext } from './run-context.js';
import { Script, type ScriptStatement } from './script.js';
import { ScriptFailure } from './script-problem.js';
import type { ScriptRun } from './script-run.js';
import { settingsFor } from './session-settings.js';
import type { RunSignals } from './signals.js';
import { StatementSender } from './statement-sender.js';
import { TableEffects } from './table-effects.js';
import { begin, rollBack } from './transaction.js';
import { verify } from './verify.js';

type SqlBody = Extract<ResolvedMigration['body'], { kind: 'sql' }>;

/** Tries migrations without keeping them. */
export class DryRunner {
  readonly #context: RunContext;
  readonly #signals: RunSignals;
  readonly #effects: TableEffects;

  constructor(context: RunContext, signals: RunSignals) {
    this.#context = context;
    this.#signals = signals;
    this.#effects = new TableEffects(context.session);
  }

  async begin(): Promise<void> {
    await begin(this.#context.session);
    await this.#effects.start();
  }

  async end(): Promise<void> {
    await rollBack(this.#context.session);
  }

  /** Runs it inside the transaction. Throws {@link ScriptFailure}. */
  async run({ script, body }: ResolvedMigration): Promise<DryRunScript> {
    try {
      const statements =
        body.kind === 'code' ? await this.#runCode(body, script) : await this.#runSql(body, script);
      return { script, tables: await this.#effects.take(), statements };
    } catch (error) {
      throw new ScriptFailure(problemOf(this.#context.session, error), {
        effect: 'rolled back',
        left: 'It was a dry run: everything is rolled back.',
      });
    }
  }

  /** Says what each statement would be, and runs none. */
  async judge({ script, body }: ResolvedMigration): Promise<DryRunScript> {
    if (body.kind === 'code') return { script, tables: [], statements: [notRun('a migration in code', 1)] };
    const source = await Script.open({ context: this.#context, script, body });
    const statements: DryRunStatement[] = [];
    for await (const each of source.statements()) {
      statements.push({
        line: each.statement.start.line,
        text: abridge(sourceText(each.statement)),
        how: await source.language.judge(this.#context.session, each),
      });
    }
    return { script, tables: [], statements };
  }

  async #runSql(body: SqlBody, script: string): Promise<readonly DryRunStatement[]> {
    const context = this.#context;
    const source = await Script.open({ context, script, body });
    const run: ScriptRun = {
      ...context,
      script: source,
      profile: source.profile,
      settings: settingsFor(context.session, context.options.schema),
      signals: this.#signals,
      finish: () => Promise.resolve(),
      isFinished: () => Promise.resolve(false),
    };
    const sender = new StatementSender(senderOptions(run));
    const left: DryRunStatement[] = [];
    await applySettings(run);
    await verify(run, 'before');
    for await (const each of source.statements()) {
      if (mustBeLeft(each)) left.push(notRun(sourceText(each.statement), each.statement.start.line));
      else await sender.push(each.statement, each.traits);
    }
    await sender.flush();
    await verify(run, 'after');
    await run.settings.restore(context.session);
    return left;
  }

  async #runCode(
    body: Extract<ResolvedMigration['body'], { kind: 'code' }>,
    script: string,
  ): Promise<readonly DryRunStatement[]> {
    const { session, options, emit } = this.#context;
    const code = await loadCodeMigration(body);
      assertHeld: () => Promise.resolve(),
    if (!code.isTransactional) return [notRun('a migration in code with transaction = false', 1)];
    await code.run({
      sql: (text, values) => session.query(text, values),
      native: session.native,
      placeholders: options.placeholders,
      log: (message) => emit({ kind: 'note', script, message }),
      signal: this.#signals.either,
      server: session.server,
    });
    return [];
  }
}

function mustBeLeft({ traits }: ScriptStatement): boolean {
  return traits.standsAlone || traits.controlsTransaction;
}

function notRun(text: string, line: number): DryRunStatement {
  return { line, text: abridge(text), how: 'not run' };
}
