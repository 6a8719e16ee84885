import type { Hash } from 'node:crypto';
import type { WhenSent } from '../database/session.js';
import type { Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';
import { applySettings, senderOptions } from './apply-in-transaction.js';
import { committedProblem, CommitWitness } from './commit-witness.js';
import { JournalResume } from './journal-resume.js';
import { journaledFailure } from './journaled-failure.js';
import { LostWithSession } from './lost-with-session.js';
import { placeIn } from './place.js';
import { problemOf } from './problem-of.js';
import { addTo, entryOf, hashOf } from './statement-hash.js';
import type { ScriptStatement } from './script.js';
import { type ScriptFailure, ScriptProblem } from './script-problem.js';
import type { ScriptRun } from './script-run.js';
import type { SentTogether } from './sent-together.js';
import { StatementSender } from './statement-sender.js';
import { beginWithNext, rollBack } from './transaction.js';
import { verify } from './verify.js';
import { writeStarted } from './write-started.js';

/** Statements that are in one transaction with their row of the journal. */
interface Segment {
  readonly first: Statement;
  last: Statement;
  readonly hash: Hash;
  /** The BEGIN of the file itself, which has to end it as well. */
  readonly isOfFile: boolean;
}

/** They commit as they like, so that no transaction can be around them: also where the server would take it. */
const COMMITS_INSIDE = /^(?:CALL|DO|EXECUTE)\b/;

/**
 * A script that no single transaction can hold: a sequence of segments. Statements that a transaction can hold run in
 * one, together with the row of the journal that says so; one that stands alone is written down before it is sent. So
 * what a crash left behind can be told at any point, and the next run goes on from there.
 */
export class JournaledScript {
  readonly #run: ScriptRun;
  readonly #sender: StatementSender;
  readonly #witness: CommitWitness;
  readonly #resume: JournalResume;
  readonly #lost: LostWithSession;
  #segment: Segment | undefined;
  /** The statement that stands alone and was sent without an answer. */
  #flying: Statement | undefined;
  /** The one that failed, and had written to tables that keep it. */
  #halfDone: Statement | undefined;
  /** Whether the file has made temporary tables. */
  #hasTemporary = false;
  /** The one whose answer came, but whose row does not say so yet: the row of the next one will. */
  #unmarked: number | undefined;
  /** Whether the failed one left something behind, which the next run removes. */
  #hasTraces = false;
  /** Whether the next run stops at what this one did, too: at a warning that is not allowed. */
  #staysInTheWay = false;
  /** How many statements took effect for good: in this run, or before it. */
  #kept = 0;
  #isAnnounced = false;
  readonly #sent: SentTogether | undefined;

  /** `sent` is what is known already, of a script without rows in the journal; the transaction of its last ones may be open. */
  constructor(run: ScriptRun, sent?: SentTogether) {
    this.#run = run;
    this.#sent = sent;
    this.#sender = new StatementSender({ ...senderOptions(run), sent });
    this.#witness = new CommitWitness(run.session, this.#sender);
    this.#resume = new JournalResume(run);
    this.#lost = new LostWithSession(run.script.language.readSessionUse);
  }

  async apply(): Promise<number> {
    const { session, script, settings, journal, profile } = this.#run;
    try {
      if (this.#sent === undefined) await this.#resume.load();
      // What an earlier run left is settled and tidied up by itself.
      if (this.#resume.isResuming) await this.#run.assertHeld();
      if (this.#resume.isResuming) await this.#announce('now');
      await applySettings(this.#run);
      if (!this.#resume.isResuming) await verify(this.#run, 'before');
      let count = 0;
      for await (const group of script.groups())
        for (const { statement, traits } of group) {
          await this.#take(statement, traits);
          count++;
        }
      if (!(await this.#canFinishInSegment())) {
        await this.#endSegment();
        await verify(this.#run, 'after');
      }
      this.#resume.requireAllSeen();
      await settings.restore(session, 'with what is next');
      if (this.#segment === undefined) beginWithNext(session);
      await this.#run.finish();
      await journal?.clear(session, profile.script, 'with what is next');
      await session.query('COMMIT');
      return count;
    } catch (error) {
      throw await this.#failed(error);
    }
  }

  async #take(statement: Statement, traits: StatementTraits): Promise<void> {
    const done = await this.#resume.covers(statement, traits);
    if (done) {
      this.#kept = statement.index;
      // What it set went with the session of the earlier run, and what follows may rest on it.
      if (this.#lost.pass(statement, traits)) await this.#sender.push(statement, traits);
      return;
    }
    this.#lost.check(statement, traits);
    if (this.#segment?.isOfFile) return this.#takeInFilesOwn(this.#segment, statement, traits);
    if (traits.controlsTransaction) return this.#beginFilesOwn(statement, traits);
    if (this.#standsAlone(traits)) {
      this.#run.unprotected.pass(statement, traits);
      await this.#endSegment();
      return this.#runAlone(statement, traits);
    }
    if (await this.#run.unprotected.mayBeIn(statement, traits)) {
      await this.#endSegment();
      return this.#runUnprotected(statement, traits);
    }
    this.#hasTemporary ||= traits.command === 'CREATE TEMPORARY TABLE';
    if (traits.mayCommit) {
      await this.#endSegment();
      return this.#runWatched(statement, traits);
    }
    await this.#runInSegment(statement, traits);
    // Each its own transaction is what the directive asks for: a later failure keeps the earlier ones.
    if (this.#run.profile.directives.noTransaction) await this.#endSegment();
  }

  #standsAlone({ standsAlone, command }: StatementTraits): boolean {
    return standsAlone || (this.#run.profile.directives.noTransaction && COMMITS_INSIDE.test(command));
  }

  async #runAlone(statement: Statement, traits: StatementTraits): Promise<void> {
    const { session, journal, script, profile } = this.#run;
    const { landed } = script.language;
    const isSent = this.#sent?.has(statement) === true;
    const isTold = isSent || (await this.#writeStarted({ statement, traits }));
    this.#unmarked = undefined;
    this.#flying = statement;
    try {
      await this.#sendAlone(statement, traits);
      // What is open then belongs to what was sent behind it.
      if (!isSent) await this.#commitWhatIsOpen();
      // What committed may have switched it off, and the rows of ours would not be committed.
      if (traits.mayCommit) await session.query('SET autocommit = 1');
    } catch (error) {
      if (!(error instanceof ScriptProblem) || error.kind !== 'warning') {
        // The server did not come to it, nor to the commit that comes with it: its row is rolled back.
        if (session.inTransaction) this.#flying = undefined;
        else if (landed.leavesTraces(traits)) this.#hasTraces = true;
        else if (!session.lost) await journal?.forget(session, profile.script, statement.index);
        throw error;
      }
      await this.#keepWithWarning(statement, error);
      throw error;
    }
    this.#flying = undefined;
    this.#kept = statement.index;
    this.#unmarked = statement.index;
    // Nobody could ask later whether it took effect: the time in which only we know is kept short.
    if (!isTold) await this.#mark();
  }

  /** Resolves to whether the catalogue can tell afterwards whether the statement took effect. */
  async #writeStarted(sent: ScriptStatement): Promise<boolean> {
    const { session, journal, script, signals } = this.#run;
    signals.check();
    const fingerprint = journal && (await script.language.landed.fingerprint(session, sent));
    await writeStarted(this.#run, { ...sent, fingerprint, announce: this.#announceStarted });
    return fingerprint !== undefined;
  }

  async #keepWithWarning(statement: Statement, { warnings }: ScriptProblem): Promise<void> {
    const { session, journal, profile } = this.#run;
    await this.#commitWhatIsOpen();
    this.#kept = statement.index;
    const codes = warnings.map(({ code }) => code);
    await journal?.finished(session, profile.script, { first: statement.index, warnings: codes });
    this.#flying = undefined;
    this.#staysInTheWay = true;
  }

  /**
   * What may write to a table that no ROLLBACK reaches: its row is there before it is sent. The transaction around it is
   * for the server to say, should it fail, whether it had written.
   */
  async #runUnprotected(statement: Statement, traits: StatementTraits): Promise<void> {
    const { session, journal, profile, signals } = this.#run;
    signals.check();
    await writeStarted(this.#run, {
      statement,
      traits,
      fingerprint: undefined,
      announce: this.#announceStarted,
    });
    this.#unmarked = undefined;
    this.#flying = statement;
    beginWithNext(session);
    try {
      if (traits.mayCommit) await this.#witness.send({ statement, traits });
      else await this.#sendAlone(statement, traits);
      await journal?.finished(session, profile.script, { first: statement.index });
      await this.#commitWhatIsOpen();
      if (traits.mayCommit) await session.query('SET autocommit = 1');
    } catch (error) {
      if (error instanceof ScriptProblem && error.kind === 'warning')
        await this.#keepWithWarning(statement, error);
      else if ((await rollBack(session)) !== 'all' || this.#witness.hasCommitted) this.#halfDone = statement;
      else if (!session.lost) {
        this.#flying = undefined;
        await journal?.forget(session, profile.script, statement.index);
      }
      throw error;
    }
    this.#flying = undefined;
    this.#kept = statement.index;
    if (this.#witness.hasCommitted) throw committedProblem(statement);
  }

  /** Where the server did not commit for a statement after all. */
  async #commitWhatIsOpen(): Promise<void> {
    const { session } = this.#run;
    if (session.inTransaction) await session.query('COMMIT');
  }

  async #announce(when: WhenSent, how: 'announce' | 'announceStarted' = 'announce'): Promise<void> {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    await this.#run[how](when);
  }

  readonly #announceStarted = (): Promise<void> => this.#announce('with what is next', 'announceStarted');

  async #runInSegment(statement: Statement, traits: StatementTraits): Promise<void> {
    const { session } = this.#run;
    if (this.#segment === undefined) {
      if (this.#sent?.has(statement) !== true) {
        await this.#announce('with what is next');
        beginWithNext(session);
      }
      this.#segment = { first: statement, last: statement, hash: hashOf(), isOfFile: false };
    }
    this.#segment.last = statement;
    addTo(this.#segment.hash, statement);
    await this.#sender.push(statement, traits);
  }

  /** In a segment of its own: what has committed in it is written down, so that no later run does it twice. */
  async #runWatched(statement: Statement, traits: StatementTraits): Promise<void> {
    const { session } = this.#run;
    await this.#announce('with what is next');
    beginWithNext(session);
    const segment = { first: statement, last: statement, hash: addTo(hashOf(), statement), isOfFile: false };
    this.#segment = segment;
    try {
      await this.#witness.send({ statement, traits });
    } catch (error) {
      if (!this.#witness.hasCommitted) throw error;
      await rollBack(session);
      await session.query('SET autocommit = 1');
      await this.#noteHalfDone(segment, problemOf(session, error));
      throw error;
    }
    if (!this.#witness.hasCommitted) return this.#endSegment();
    await this.#commitWhatIsOpen();
    await session.query('SET autocommit = 1');
    await this.#writeDone(segment, 'now');
    this.#segment = undefined;
    this.#kept = statement.index;
    throw committedProblem(statement);
  }

  async #sendAlone(statement: Statement, traits: StatementTraits): Promise<void> {
    await this.#sender.push(statement, traits);
    await this.#sender.flush();
  }

  async #endSegment(): Promise<void> {
    const segment = this.#segment;
    if (segment === undefined) return;
    await this.#sender.flush();
    await this.#writeDone(segment, 'with what is next');
    await this.#run.session.query('COMMIT');
    this.#segment = undefined;
    this.#kept = segment.last.index;
    this.#unmarked = undefined;
  }

  async #writeDone(segment: Segment, when: WhenSent): Promise<void> {
    const { journal, session, profile } = this.#run;
    await this.#run.assertHeld('with what is next');
    await journal?.done(session, profile.script, { ...entryOf(segment), when });
  }

  /** `BEGIN` of a file with `-- no-transaction`: what follows it up to its COMMIT is one segment. */
  async #beginFilesOwn(statement: Statement, traits: StatementTraits): Promise<void> {
    await this.#announce('now');
    await this.#sendAlone(statement, traits);
    this.#segment = { first: statement, last: statement, hash: addTo(hashOf(), statement), isOfFile: true };
  }

  async #takeInFilesOwn(segment: Segment, statement: Statement, traits: StatementTraits): Promise<void> {
    const { session } = this.#run;
    if (traits.changesSession) this.#run.unprotected.pass(statement, traits);
    segment.last = statement;
    addTo(segment.hash, statement);
    const ends =
      traits.controlsTransaction && /^(?:COMMIT|END|ROLLBACK|ABORT)\b(?! TO\b)/.test(traits.command);
    const controls = traits.controlsTransaction && !/SAVEPOINT|^ROLLBACK TO|^RELEASE/.test(traits.command);
    if (traits.standsAlone || (controls && !ends)) {
      throw new ScriptProblem(
        `${traits.command} cannot stand inside of the BEGIN of line ${segment.first.start.line}`,
        {
          place: placeIn(statement),
        },
      );
    }
    if (!ends) {
      await this.#sender.push(statement, traits);
      return;
    }
    await this.#sender.flush();
    const isRollback = /^(?:ROLLBACK|ABORT)/.test(traits.command);
    if (!isRollback) await this.#writeDone(segment, 'with what is next');
    await this.#sendAlone(statement, traits);
    if (isRollback) await this.#writeDone(segment, 'now');
    this.#segment = undefined;
    this.#kept = statement.index;
    this.#unmarked = undefined;
    if (!session.inTransaction) return;
    throw new ScriptProblem(`${traits.command} left a transaction open`, { place: placeIn(statement) });
  }

  /**
   * Whether the last statements commit with the row of the history, which then needs no row of the journal before it.
   * A clause that is verified after them is asked when they are committed.
   */
  async #canFinishInSegment(): Promise<boolean> {
    const segment = this.#segment;
    if (segment === undefined || segment.isOfFile) return false;
    if (this.#run.profile.directives.verifyAfter.length > 0) return false;
    await this.#sender.flush();
    return this.#run.session.inTransaction;
  }

  async #mark(): Promise<void> {
    const { journal, session, profile } = this.#run;
    const first = this.#unmarked;
    this.#unmarked = undefined;
    if (first !== undefined) await journal?.finished(session, profile.script, { first });
  }

  async #failed(error: unknown): Promise<ScriptFailure> {
    const { session } = this.#run;
    const problem = problemOf(session, error);
    this.#sender.drop();
    const rolledBack = session.inTransaction ? await rollBack(session) : 'all';
    // The server says it of temporary tables too, which end with the session.
    const stays = rolledBack === 'not all' && !(this.#hasTemporary && this.#segment?.isOfFile === false);
    if (stays && this.#segment) await this.#noteHalfDone(this.#segment, problem);
    this.#staysInTheWay ||= problem.staysInTheWay || this.#halfDone !== undefined;
    if (!session.lost) await this.#tidyUp(problem);
    return journaledFailure(problem, {
      kept: this.#kept,
      hasLeft: this.#resume.hasLeft,
      staysInTheWay: this.#staysInTheWay,
      unknown: session.lost ? this.#flying : undefined,
      halfDone: this.#halfDone,
      isInSegment: this.#segment !== undefined,
      isUnclear: stays || rolledBack === 'ended before',
      hasTraces: this.#hasTraces,
    });
  }

  /** The file's own BEGIN, or a way to such a table that nobody saw before. */
  async #noteHalfDone(segment: Segment, { kind }: ScriptProblem): Promise<void> {
    const { journal, session, profile } = this.#run;
    this.#halfDone = segment.first;
    if (kind === 'lock lost') return;
    const entry = { ...entryOf(segment), fingerprint: undefined, when: 'now' as const };
    await journal?.started(session, profile.script, entry).catch(() => undefined);
  }

  /** Whoever reads the message wants to know why it failed: what goes wrong after that is not said. */
  async #tidyUp({ kind }: ScriptProblem): Promise<void> {
    const { session, settings } = this.#run;
    // The rows are those of whoever has the lock now.
    if (kind !== 'lock lost') await this.#mark().catch(() => undefined);
    await settings.restore(session).catch(() => undefined);
  }
}
