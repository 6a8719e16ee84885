import { createMissingSchema } from '../history/table-dialect.js';
import type { ResolvedMigration } from '../migration.js';
import type { DryRunScript, DryRunStatement } from '../migrator.js';
import { applySettings, senderOptions } from './apply-in-transaction.js';
import { JournalResume } from './journal-resume.js';
import { problemOf } from './problem-of.js';
import type { Judge } from './language.js';
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

export interface DryRunnerParts {
  readonly signals: RunSignals;
  /** Scripts that an earlier run was at: what it did of them is not tried again. */
  readonly begun: ReadonlySet<string>;
  /** Says of statements that are not tried what they would be. */
  readonly judge: Judge;
}

/** Tries migrations without keeping them. */
export class DryRunner {
  readonly #context: RunContext;
  readonly #signals: RunSignals;
  readonly #begun: ReadonlySet<string>;
  readonly #effects: TableEffects;
  readonly #judge: Judge;

  constructor(context: RunContext, { signals, begun, judge }: DryRunnerParts) {
    this.#context = context;
    this.#signals = signals;
    this.#begun = begun;
    this.#effects = new TableEffects(context.session);
    this.#judge = judge;
  }

  async begin(): Promise<void> {
    const { session, home } = this.#context;
    await begin(session);
    if (home !== undefined) await createMissingSchema(session, home);
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

  /** Says what each statement would be, and runs none. Throws {@link ScriptFailure} for what `up` would refuse unsent. */
  async judge({ script, body }: ResolvedMigration): Promise<DryRunScript> {
    if (body.kind === 'code') {
      this.#judge.passOpaque(script);
      return { script, tables: [], statements: [notRun('a migration in code', 1)] };
    }
    try {
      return { script, tables: [], statements: await this.#judgeSql(body, script) };
    } catch (error) {
      throw new ScriptFailure(problemOf(this.#context.session, error), {
        effect: 'rolled back',
        left: 'It was a dry run: nothing was run.',
      });
    }
  }

  async #judgeSql(body: SqlBody, script: string): Promise<readonly DryRunStatement[]> {
    const source = await Script.open({ context: this.#context, script, body });
    const resume = await this.#resumeOf(this.#runOf(source));
    const statements: DryRunStatement[] = [];
    for await (const group of source.groups())
      for (const each of group) {
        if (resume.foresee(each.statement) === 'done') continue;
        const { line } = each.statement.start;
        statements.push({
          line,
          text: abridge(sourceText(each.statement)),
          ...(await this.#judge.judge(this.#context.session, each, `${script}:${line}`)),
        });
      }
    resume.requireAllSeen();
    return statements;
  }

  #runOf(script: Script): ScriptRun {
    const context = this.#context;
    return {
      ...context,
      script,
      profile: script.profile,
      settings: settingsFor(context.session, context.options.schema),
      signals: this.#signals,
      announce: () => Promise.resolve(),
      announceStarted: () => Promise.resolve(),
      endFormer: () => Promise.resolve(true),
      assertHeld: () => Promise.resolve(),
      finish: () => Promise.resolve(),
      canFinishBehind: false,
      isFinished: () => Promise.resolve(undefined),
    };
  }

  async #resumeOf(run: ScriptRun): Promise<JournalResume> {
    const resume = new JournalResume(run);
    if (this.#begun.has(run.profile.script)) await resume.load();
    return resume;
  }

  async #runSql(body: SqlBody, script: string): Promise<readonly DryRunStatement[]> {
    const context = this.#context;
    const source = await Script.open({ context, script, body });
    const run = this.#runOf(source);
    const resume = await this.#resumeOf(run);
    const sender = new StatementSender(senderOptions(run));
    const left: DryRunStatement[] = [];
    await applySettings(run);
    if (!resume.isResuming) await verify(run, 'before');
    for await (const group of source.groups())
      for (const each of group) {
        const outlook = resume.foresee(each.statement);
        if (outlook === 'done' && !each.traits.changesSession) continue;
        if (outlook === 'undecided' || mustBeLeft(each))
          left.push(notRun(sourceText(each.statement), each.statement.start.line));
        else await sender.push(each.statement, each.traits);
      }
    await sender.flush();
    resume.requireAllSeen();
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
