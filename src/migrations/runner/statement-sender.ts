import { messageOf } from '../../core/index.js';
import type { Behind, MigrationSession, ServerWarning, StatementOutcome } from '../database/session.js';
import { StatementFailedError } from '../errors.js';
import type { MigrationListener } from '../events.js';
import type { Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';
import { placeIn } from './place.js';
import { nextAfter } from './problem-of.js';
import { ScriptProblem } from './script-problem.js';
import type { SentTogether } from './sent-together.js';
import type { RunSignals } from './signals.js';

export interface SenderOptions {
  readonly session: MigrationSession;
  readonly script: string;
  readonly totalBytes: number;
  readonly allowWarnings: ReadonlySet<string>;
  readonly signals: RunSignals;
  readonly emit: MigrationListener;
  /** Whether nothing of the script can end the transaction that it runs in. */
  readonly inOneTransaction?: boolean;
  /** Before that nothing of the answers is told. */
  readonly turn?: Promise<void> | undefined;
  /** Statements that were sent already. */
  readonly sent?: SentTogether | undefined;
}

/** What is handed to the session at once; it makes its own packets of it. */
const GROUP = { statements: 1000, length: 1024 * 1024 };
const PROGRESS_EVERY_MS = 250;

/** What is told of a statement; the rest is counted. A backfill may warn of every row. */
const TOLD_WARNINGS = 20;
/** ER_QUERY_INTERRUPTED: a DO that was ended says so as a warning, and no error. */
const INTERRUPTED = '1317';

/** Sends the statements of a script in groups, reads the answers, and says where something is wrong. */
export class StatementSender {
  readonly #options: SenderOptions;
  #group: Statement[] = [];
  #length = 0;
  #sent = 0;
  #toldAt = performance.now();

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** How many statements were sent and answered. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * Takes a statement; it is sent with others, or at the next {@link flush}. Returns nothing where nothing is sent: a promise
   * for each of 50,000 takes its time.
   */
  push(statement: Statement, traits: StatementTraits): Promise<unknown> | undefined {
    const { sent } = this.#options;
    const isSent = sent?.has(statement) === true;
    // What was sent already is not sent again with what comes behind it.
    if (!isSent && this.#group.length > 0 && sent?.has(this.#group[0]!) === true)
      return this.flush().then(() => this.push(statement, traits));
    const { changesSession } = traits;
    this.#group.push(statement);
    this.#length += statement.text.length;
    const isFull = this.#group.length >= GROUP.statements || this.#length >= GROUP.length;
    // The data of COPY is read from the file before what follows it can be; SET changes how what follows is read.
    return isFull || changesSession || statement.kind === 'copy' ? this.flush() : undefined;
  }

  /** Whether there are statements that were taken and not sent. */
  get hasMore(): boolean {
    return this.#group.length > 0;
  }

  /**
   * Sends what was taken, and what is to travel behind it, where the session can. Throws {@link ScriptProblem}, and for what
   * is behind the driver's own error.
   */
  async flush(behind?: Behind): Promise<readonly StatementOutcome[]> {
    const group = this.#group;
    if (group.length === 0) return [];
    this.#group = [];
    this.#length = 0;
    const isSent = this.#options.sent?.has(group[0]!) === true;
    if (!isSent) this.#options.signals.check();
    const outcomes = await this.#run(group, { behind, isSent });
    await this.#options.turn;
    this.#sent += group.length;
    this.#tellProgress(group.at(-1)!);
    outcomes.forEach((outcome, index) => this.#read(outcome, group[index]!));
    return outcomes;
  }

  /** Throws away what was taken and not sent. */
  drop(): void {
    this.#group = [];
    this.#length = 0;
  }

  async #run(
    group: readonly Statement[],
    { behind, isSent }: { readonly behind: Behind | undefined; readonly isSent: boolean },
  ): Promise<readonly StatementOutcome[]> {
    const { session, signals, turn, sent, inOneTransaction = false } = this.#options;
    try {
      if (isSent) return sent!.take(group);
      const running = behind ? session.runWith!(group, behind) : session.run(group, { inOneTransaction });
      if (turn !== undefined) await Promise.race([turn, running]).catch(() => undefined);
      return await signals.ending(running, session);
    } catch (error) {
      if (!(error instanceof StatementFailedError)) throw error;
      this.#options.signals.checkCancelled(error);
      this.#sent += error.at;
      const statement = group[error.at]!;
      // Whether it took effect is said by whoever knows the transaction that it ran in.
      const message = error.outcomeUnknown
        ? `the connection was lost (${messageOf(error.cause)})`
        : messageOf(error);
      throw new ScriptProblem(message, {
        place: placeIn(statement, error.offset),
        next: error.outcomeUnknown ? undefined : nextAfter(error.cause),
        isLost: error.outcomeUnknown,
        cause: error,
      });
    }
  }

  #read({ warnings, warningCount }: StatementOutcome, statement: Statement): void {
    const { emit, script, allowWarnings, signals } = this.#options;
    const { line } = statement.start;
    for (const warning of warnings.slice(0, TOLD_WARNINGS)) emit({ kind: 'warning', script, line, warning });
    const untold = Math.max(warnings.length, warningCount) - TOLD_WARNINGS;
    if (untold > 0)
      emit({ kind: 'note', script, message: `${untold} more warnings of the statement in line ${line}.` });
    // PostgreSQL counts none: its notices are words of the server, not signs of lost data.
    if (warningCount === 0) return;
    if (warnings.some(({ code }) => code === INTERRUPTED)) signals.checkCancelled();
    const bad = warnings.filter(({ level, code }) => level !== 'note' && !allowWarnings.has(code));
    if (bad.length === 0) return;
    throw new ScriptProblem(warningText(bad, warningCount), {
      kind: 'warning',
      place: placeIn(statement),
      warnings: bad,
      next: `Correct the statement or its data; or, where the warning is meant to be, allow it: ${allowance(bad.map(({ code }) => code))}.`,
    });
  }

  #tellProgress(last: Statement): void {
    const now = performance.now();
    if (now - this.#toldAt < PROGRESS_EVERY_MS) return;
    this.#toldAt = now;
    const { emit, script, totalBytes } = this.#options;
    const bytes = Math.min(totalBytes, last.start.offset + last.text.length);
    emit({ kind: 'progress', script, statements: this.#sent, bytes, totalBytes });
  }
}

/** How warnings are allowed, to be pasted: `--allow-warning 1264 --allow-warning 1265`. */
export function allowance(allowed: readonly string[]): string {
  const each = [...new Set(allowed)];
  return `allowWarnings: [${each.join(', ')}], ${each.map((code) => `--allow-warning ${code}`).join(' ')}`;
}

function warningText(warnings: readonly ServerWarning[], count: number): string {
  const [first] = warnings;
  const more = count > 1 ? ` (and ${count - 1} more)` : '';
  return `the server took it with a warning, ${first!.code}: ${first!.message}${more}`;
}
