import { systemClock } from '../../core/index.js';
import type { ResolvedCallback } from '../events.js';
import { type InFlight, type MigrationSession, NotRunError } from '../database/session.js';
import { RankTakenError } from '../history/ranked-history.js';
import type { MigrationLock } from '../locks/lock.js';
import type { AppliedMigration, HistoryType, NewHistoryRow, ResolvedMigration } from '../migration.js';
import type { AppliedScript } from '../migrator.js';
import { applyCode } from './apply-code.js';
import { applyScript } from './apply-script.js';
import { Callbacks } from './callbacks.js';
import { ReadAhead } from './read-ahead.js';
import type { RunContext } from './run-context.js';
import type { Script, ScriptSource } from './script.js';
import { ScriptFailure } from './script-problem.js';
import type { FinishTime, ScriptRun } from './script-run.js';
import { SendAhead } from './send-ahead.js';
import { settingsFor } from './session-settings.js';
import type { RunSignals } from './signals.js';

/** A migration that is about to be applied, or the undo of one. */
export interface MigrationTask {
  readonly migration: ResolvedMigration;
  readonly type: HistoryType;
  /** The row of an earlier run that failed half-way, which becomes the row of this one. */
  readonly failedRow?: AppliedMigration | undefined;
}

/** What will be applied after a task. */
export interface NextTasks {
  /** The next ones, in their order. */
  readonly tasks: readonly MigrationTask[];
  /** Whether nothing is to happen between them, so that each may be sent before the one before it is answered. */
  readonly mayGoAhead: boolean;
}

export interface ApplierParts {
  readonly context: RunContext;
  readonly lock: MigrationLock;
  readonly signals: RunSignals;
  readonly callbacks: readonly ResolvedCallback[];
  /** The highest rank before this run. */
  readonly rank: number;
}

/** The row of what is applied now. */
type RowOf = (success: boolean, time?: FinishTime) => NewHistoryRow;

/** A file that writes to the history by a function, or in other words than ours, took the rank that was to be its own. */
const isRankTaken = (error: unknown): boolean =>
  error instanceof ScriptFailure &&
  error.effect === 'rolled back' &&
  error.problem.cause instanceof RankTakenError;

/** How many rows a task adds. */
const rowsOf = ({ failedRow }: MigrationTask): number => (failedRow === undefined ? 1 : 0);

/** Applies one migration after the other, each with its row of the history. */
export class MigrationApplier {
  readonly callbacks: Callbacks;
  readonly #parts: ApplierParts;
  readonly #readAhead = new ReadAhead();
  readonly #sendAhead: SendAhead;
  #rank: number;
  /** Whether nothing but this run has written to the history since. */
  #isRankKnown = true;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
    this.#rank = parts.rank;
    const { supportsTransactionalDdl } = parts.context.session.server;
    this.#sendAhead = new SendAhead(parts.signals, supportsTransactionalDdl ? 'recalled' : 'finished');
    this.callbacks = new Callbacks(parts);
  }

  /**
   * Takes back what was sent ahead. Resolves to whether nothing is left of it; else it has to be applied as any other.
   */
  recall(): Promise<boolean> {
    return this.#sendAhead.recall();
  }

  /** What is with the server before its turn. */
  get sentAhead(): string | undefined {
    return this.#sendAhead.task?.migration.script;
  }

  /** `next` is what will be applied after it, as far as that is looked at. Throws `ScriptFailure`. */
  async apply(task: MigrationTask, next: NextTasks): Promise<AppliedScript> {
    const { migration } = task;
    const begun = systemClock.now();
    const row: RowOf = (success, time = 'until now') =>
      this.#rowOf(task, {
        success,
        executionTimeMs: time === 'until now' ? systemClock.now() - begun : 'since it began',
      });
    try {
      const statements = await this.#run(task, { row, next }).catch(async (error: unknown) => {
        if (!isRankTaken(error)) throw error;
        // By the migration itself, as far as is known; should the lock be lost, the second try says so.
        this.#isRankKnown = false;
        await this.#sendAhead.abandon();
        return this.#run(task, { row, next });
      });
      this.#rank += rowsOf(task);
      return {
        script: migration.script,
        version: migration.version?.text,
        executionTimeMs: Math.round(systemClock.now() - begun),
        statements,
      };
    } catch (error) {
      if (error instanceof ScriptFailure) await this.#noteFailure(task, error, row(false));
      throw error;
    }
  }

  async #run(task: MigrationTask, { row, next }: { row: RowOf; next: NextTasks }): Promise<number> {
    const { context, signals, lock } = this.#parts;
    const { body, script } = task.migration;
    const sent = this.#sendAhead.take(task);
    if (sent !== undefined) {
      this.#lookAhead(task, next);
      try {
        return await sent;
      } catch (error) {
        if (!(error instanceof NotRunError)) throw error;
        await this.#sendAhead.abandon();
      }
    }
    if (body.kind === 'code') {
      this.#isRankKnown = false;
      await context.journal.ahead.withdraw(context.session);
      await lock.announce(script);
      await lock.assertHeld();
      return applyCode({ context, script, body, signals, finish: this.#finishOf(task, row) });
    }
    const source = await this.#readAhead.open({ context, script, body });
    this.#lookAhead(task, next);
    const onSent = (packet: InFlight): void => this.#sendAhead.follow(packet);
    const ranked = { source, row, rank: this.#rank + 1 };
    return applyScript(this.#scriptRun(task, ranked, next.mayGoAhead ? { onSent } : undefined));
  }

  /** Reads what is next and what comes after that, and has the next one sent behind what runs now. */
  #lookAhead(current: MigrationTask, { tasks, mayGoAhead }: NextTasks): void {
    const { context } = this.#parts;
    const sources: ScriptSource[] = [];
    for (const { migration } of tasks) {
      if (migration.body.kind !== 'sql') break;
      sources.push({ context, script: migration.script, body: migration.body });
    }
    if (sources.length === 0) return;
    this.#readAhead.begin(sources, (scripts) => {
      if (!mayGoAhead) return;
      let rank = this.#rank + rowsOf(current);
      const [first, second] = scripts.map((source, index) => {
        const task = tasks[index]!;
        const row: RowOf = (success) => this.#rowOf(task, { success, executionTimeMs: 'since it began' });
        const ranked = { source, row, rank: ++rank };
        return (ahead?: Partial<ScriptRun>): ScriptRun => this.#scriptRun(task, ranked, ahead);
      });
      this.#sendAhead.offer(tasks[0]!, (ahead) => first!(second ? { ...ahead, following: second } : ahead));
    });
  }

  #scriptRun(
    task: MigrationTask,
    { source, row, rank }: { readonly source: Script; readonly row: RowOf; readonly rank: number },
    own?: Partial<ScriptRun>,
  ): ScriptRun {
    const { context, signals, lock } = this.#parts;
    const { script } = task.migration;
    this.#isRankKnown &&= source.names(context.history.name) === false;
    const isKnown = this.#isRankKnown;
    let isSecond = false;
    const rowWithRank: RowOf = (success, time) => {
      // Somebody else's row may have been in the way of the first.
      if (isSecond) this.#isRankKnown = false;
      isSecond = true;
      return {
        ...row(success, time),
        ...(time === 'by the server' && isKnown && { installedRank: rank }),
      };
    };
    return {
      ...context,
      script: source,
      profile: source.profile,
      settings: settingsFor(context.session, context.options.schema),
      signals,
      announce: (when) => lock.announce(script, when),
      announceStarted: (when) => lock.announceStarted?.(when) ?? lock.announce(script, when),
      assertHeld: (when) => lock.assertHeld(when),
      finish: this.#finishOf(task, rowWithRank),
      // A lease is a row that is locked and looked at; of an undo Prisma's history asks which row it takes back.
      canFinishBehind:
        lock.kind === 'session' && task.failedRow === undefined && !task.type.startsWith('UNDO'),
      isFinished: (session) => this.#isWritten(session, task),
      endFormer: (session) => lock.endFormer?.(session, context.session.backendId) ?? Promise.resolve(true),
      ...own,
    };
  }

  #finishOf(task: MigrationTask, row: RowOf): (time?: FinishTime) => Promise<void> {
    return async (time) => {
      await this.#parts.lock.assertHeld('with what is next');
      await this.#writeRow(task, row(true, time));
    };
  }

  /** When no more will be applied. Resolves when nothing that was sent ahead is left. Never rejects. */
  async end(): Promise<void> {
    const { session, journal } = this.#parts.context;
    await this.#sendAhead.abandon();
    await journal.ahead.withdraw(session);
  }

  async #writeRow({ failedRow }: MigrationTask, row: NewHistoryRow): Promise<void> {
    const { history, session } = this.#parts.context;
    // With the COMMIT.
    if (failedRow === undefined) return history.add(session, row, 'with what is next');
    const { checksum, sha256, executionTimeMs, success, description } = row;
    await history.update(session, failedRow.installedRank, {
      description,
      ...(typeof executionTimeMs === 'number' && { executionTimeMs }),
      success,
      ...(checksum === undefined ? {} : { checksum }),
      ...(sha256 === undefined ? {} : { sha256 }),
    });
  }

  async #isWritten(
    session: MigrationSession,
    { migration, type, failedRow }: MigrationTask,
  ): Promise<boolean> {
    const { history } = this.#parts.context;
    const rows = (await history.exists(session)) ? await history.list(session) : [];
    return rows.some((row) =>
      failedRow === undefined
        ? row.installedRank > this.#rank &&
          row.script === migration.script &&
          row.type === type &&
          row.success
        : row.installedRank === failedRow.installedRank && row.success,
    );
  }

  /** A row that says that it failed, where something of it stays: Flyway's word for a database that needs somebody. */
  async #noteFailure(task: MigrationTask, failure: ScriptFailure, row: NewHistoryRow): Promise<void> {
    const { history, session, emit } = this.#parts.context;
    if (failure.effect === 'rolled back' || task.failedRow || session.lost || row.type.startsWith('UNDO'))
      return;
    // The row is that of whoever has the lock now.
    if (failure.problem.kind === 'lock lost') return;
    try {
      await history.add(session, row);
    } catch (error) {
      emit({
        kind: 'note',
        script: row.script,
        message: `Its failure could not be written into ${history.table}: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  }

  #rowOf(
    { migration, type }: MigrationTask,
    known: Pick<NewHistoryRow, 'success' | 'executionTimeMs'>,
  ): NewHistoryRow {
    const { options, history } = this.#parts.context;
    return {
      ...(migration.version === undefined ? {} : { version: migration.version }),
      description: migration.description,
      type,
      script: migration.script,
      checksum: migration.checksum,
      sha256: migration.sha256,
      installedBy: options.installedBy ?? history.user,
      ...known,
    };
  }
}
