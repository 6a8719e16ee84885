import { messageOf } from '../../core/index.js';
import type { ResolvedMigration } from '../migration.js';
import { problemOf } from './problem-of.js';
import { type LoadedCode, loadCodeMigration } from './load-code-migration.js';
import type { MigrationContext } from './migration-context.js';
import type { RunContext } from './run-context.js';
import { BEGIN_ANEW, ScriptFailure, ScriptProblem } from './script-problem.js';
import { settingsFor } from './session-settings.js';
import type { RunSignals } from './signals.js';
import { begin, inTransaction, rollBack } from './transaction.js';

export interface CodeRun {
  readonly context: RunContext;
  readonly script: string;
  readonly body: Extract<ResolvedMigration['body'], { kind: 'code' }>;
  readonly signals: RunSignals;
  /** Writes the row of the history, with what is sent next. */
  finish(): Promise<void>;
}

/**
 * Runs a migration in code. Resolves to how many statements it sent, as far as is known: the driver's own connection
 * counts as one where it was asked for. Throws `ScriptFailure`.
 */
export async function applyCode(run: CodeRun): Promise<number> {
  const { session, options } = run.context;
  const settings = settingsFor(session, options.schema);
  const { given, sent } = contextOf(run);
  let code: LoadedCode | undefined;
  try {
    code = await loadCodeMigration(run.body);
    if (code.isTransactional) await begin(session);
    await settings.apply(session, {
      lockTimeoutMs: options.lockTimeoutMs,
      statementTimeoutMs: options.statementTimeoutMs,
      isRecursive: true,
      changesSession: true,
    });
    run.context.unprotected.forget();
    await code.run(given);
    run.signals.check();
    await settings.restore(session);
    // DDL of MySQL has ended the transaction: then nothing is left that the row could commit with.
    if (code.isTransactional && session.inTransaction) {
      await run.finish();
      await session.query('COMMIT');
    } else await inTransaction(session, () => run.finish());
    return sent();
  } catch (error) {
    const failure = await failed(run, error, code);
    // Why it failed is what is told, not what went wrong after that.
    if (!session.lost) await settings.restore(session).catch(() => undefined);
    throw failure;
  }
}

async function failed(
  { context: { session }, signals }: CodeRun,
  error: unknown,
  code: LoadedCode | undefined,
): Promise<ScriptFailure> {
  const isInterrupted = signals.isAborted && !(error instanceof ScriptProblem);
  const problem = isInterrupted
    ? new ScriptProblem(`the run was asked to stop (${messageOf(error)})`, {
        kind: 'interrupted',
        cause: error,
      })
    : problemOf(session, error);
  if (code === undefined)
    return new ScriptFailure(problem, { effect: 'rolled back', left: 'Nothing of it was run.' });
  const rolledBack = await rollBack(session);
  if (code.isTransactional && rolledBack === 'all') {
    return new ScriptFailure(problem, {
      effect: 'rolled back',
      left: 'It was rolled back: the database is as before it.',
    });
  }
  return new ScriptFailure(problem, {
    effect: session.lost ? 'unknown' : 'partial',
    left: 'What it had done before that stays, and holdfast does not know what it was.',
    next: BEGIN_ANEW,
  });
}

/** What the migration is given, and how many statements it has sent through it. */
function contextOf({ context, script, signals }: CodeRun): {
  readonly given: MigrationContext;
  readonly sent: () => number;
} {
  const { session, options, emit } = context;
  let viaSql = 0;
  let viaNative = 0;
  const given: MigrationContext = {
    sql: (text, values) => {
      viaSql++;
      return session.query(text, values);
    },
    get native() {
      viaNative = 1;
      return session.native;
    },
    placeholders: options.placeholders,
    log: (message) => emit({ kind: 'note', script, message }),
    signal: signals.either,
    server: session.server,
  };
  return { given, sent: () => viaSql + viaNative };
}
