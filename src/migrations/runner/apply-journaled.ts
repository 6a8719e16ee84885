import type { Hash } from 'node:crypto';
import type { WhenSent } from '../database/session.js';
import type { Fingerprint } from '../sql/landed.js';
import type { Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';
import { applySettings, controlProblem, senderOptions } from './apply-in-transaction.js';
import { problemOf } from './problem-of.js';
import { JournalResume } from './journal-resume.js';
import { LostWithSession } from './lost-with-session.js';
import { abridge } from '../sql/abridge.js';
import { sourceText } from '../sql/source-text.js';
import { placeIn } from './place.js';
import { addTo, hashOf } from './statement-hash.js';
import { ScriptFailure, ScriptProblem } from './script-problem.js';
import type { ScriptRun } from './script-run.js';
import { StatementSender } from './statement-sender.js';
import { beginWithNext, rollBack } from './transaction.js';
import { verify } from './verify.js';

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
/** What MySQL commits first, and then runs. */
const COMMITS_FIRST = /^(?:CREATE|ALTER|DROP|RENAME|TRUNCATE)\b/;

/**
 * A script that no single transaction can hold: a sequence of segments. Statements that a transaction can hold run in
 * one, together with the row of the journal that says so; one that stands alone is written down before it is sent. So
 * what a crash left behind can be told at any point, and the next run goes on from there.
 */
export class JournaledScript {
  readonly #run: ScriptRun;
  readonly #sender: StatementSender;
  readonly #resume: JournalResume;
  readonly #lost: LostWithSession;
  #segment: Segment | undefined;
  /** The statement that stands alone and was sent without an answer. */
  #flying: Statement | undefined;
  /** The one whose answer came, but whose row does not say so yet: the row of the next one will. */
  #unmarked: number | undefined;
  /** Whether the failed one left something behind, which the next run removes. */
  #hasTraces = false;
  /** Whether the next run stops at what this one did, too: at a warning that is not allowed. */
  #staysInTheWay = false;
  /** How many statements took effect for good: in this run, or before it. */
  #kept = 0;
  #isAnnounced = false;

  constructor(run: ScriptRun) {
    this.#run = run;
    this.#sender = new StatementSender(senderOptions(run));
    this.#resume = new JournalResume(run);
    this.#lost = new LostWithSession(run.script.language.readSessionUse);
  }

  async apply(): Promise<number> {
    const { session, script, settings, journal, profile } = this.#run;
    try {
      await this.#resume.load();
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
        await this.#endOfFile();
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
      await this.#endSegment();
      return this.#runAlone(statement, traits);
    }
    await this.#runInSegment(statement, traits);
    // Each its own transaction is what the directive asks for: a later failure keeps the earlier ones.
    if (this.#run.profile.directives.noTransaction) await this.#endSegment();
  }

  #standsAlone({ standsAlone, command }: StatementTraits): boolean {
    return standsAlone || (this.#run.profile.directives.noTransaction && COMMITS_INSIDE.test(command));
  }

  async #runAlone(statement: Statement, traits: StatementTraits): Promise<void> {
    const { session, journal, script, profile, signals } = this.#run;
    signals.check();
    const { landed } = script.language;
    const fingerprint = journal && (await landed.fingerprint(session, { statement, traits }));
    await this.#writeStarted(statement, { traits, fingerprint });
    this.#unmarked = undefined;
    this.#flying = statement;
    try {
      await this.#sender.push(statement, traits);
      await this.#sender.flush();
      await this.#commitWhatIsOpen();
    } catch (error) {
      if (!(error instanceof ScriptProblem) || error.kind !== 'warning') {
        // The server did not come to it, nor to the commit that comes with it: its row is rolled back.
        if (session.inTransaction) this.#flying = undefined;
        else if (landed.leavesTraces(traits)) this.#hasTraces = true;
        else if (!session.lost) await journal?.forget(session, profile.script, statement.index);
        throw error;
      }
      await this.#commitWhatIsOpen();
      this.#kept = statement.index;
      const warnings = error.warnings.map(({ code }) => code);
      await journal?.finished(session, profile.script, { first: statement.index, warnings });
      this.#flying = undefined;
      this.#staysInTheWay = true;
      throw error;
    }
    this.#flying = undefined;
    this.#kept = statement.index;
    this.#unmarked = statement.index;
    // Nobody could ask later whether it took effect: the time in which only we know is kept short.
    if (fingerprint === undefined) await this.#mark();
  }

  /**
   * Before it is sent. MySQL commits first what is open, and then runs DDL: the row travels in front of it, in a transaction
   * that this commit ends. What may roll back by itself, and what PostgreSQL takes by itself alone, is sent after its row.
   */
  async #writeStarted(
    statement: Statement,
    {
      traits,
      fingerprint,
    }: { readonly traits: StatementTraits; readonly fingerprint: Fingerprint | undefined },
  ): Promise<void> {
    const { session, journal, profile } = this.#run;
    if (journal === undefined) return;
    const isCommittedByIt = !session.server.supportsTransactionalDdl && COMMITS_FIRST.test(traits.command);
    await this.#run.assertHeld('with what is next');
    if (isCommittedByIt) beginWithNext(session);
    await this.#announce('with what is next');
    await journal.started(session, profile.script, {
      first: statement.index,
      last: statement.index,
      sha256: hashOf(statement).digest('hex'),
      line: statement.start.line,
      text: abridge(sourceText(statement)),
      fingerprint,
      when: isCommittedByIt ? 'with what is next' : 'now',
    });
  }

  /** Where the server did not commit for a statement after all. */
  async #commitWhatIsOpen(): Promise<void> {
    const { session } = this.#run;
    if (session.inTransaction) await session.query('COMMIT');
  }

  async #announce(when: WhenSent): Promise<void> {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    await this.#run.announce(when);
  }

  async #runInSegment(statement: Statement, traits: StatementTraits): Promise<void> {
    const { session } = this.#run;
    if (this.#segment === undefined) {
      await this.#announce('with what is next');
      beginWithNext(session);
      this.#segment = { first: statement, last: statement, hash: hashOf(), isOfFile: false };
    }
    this.#segment.last = statement;
    addTo(this.#segment.hash, statement);
    await this.#sender.push(statement, traits);
    if (this.#segment.last !== this.#segment.first || session.inTransaction || session.lost) return;
    throw new ScriptProblem('it committed the transaction that it ran in', { place: placeIn(statement) });
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

  async #writeDone({ first, last, hash }: Segment, when: WhenSent): Promise<void> {
    const { journal, session, profile } = this.#run;
    await this.#run.assertHeld('with what is next');
    await journal?.done(session, profile.script, {
      first: first.index,
      last: last.index,
      sha256: hash.copy().digest('hex'),
      line: first.start.line,
      text: abridge(sourceText(first)),
      when,
    });
  }

  /** `BEGIN` of a file with `-- no-transaction`: what follows it up to its COMMIT is one segment. */
  async #beginFilesOwn(statement: Statement, traits: StatementTraits): Promise<void> {
    const { profile } = this.#run;
    if (!profile.directives.noTransaction) throw controlProblem(statement, traits.command);
    if (!/^(?:BEGIN|START)\b/.test(traits.command)) {
      throw new ScriptProblem(`${traits.command} stands outside of a transaction that the file has begun`, {
        place: placeIn(statement),
        next: 'A file with `-- no-transaction` may hold BEGIN … COMMIT; no other control of transactions.',
      });
    }
    await this.#announce('now');
    await this.#sender.push(statement, traits);
    await this.#sender.flush();
    this.#segment = { first: statement, last: statement, hash: addTo(hashOf(), statement), isOfFile: true };
  }

  async #takeInFilesOwn(segment: Segment, statement: Statement, traits: StatementTraits): Promise<void> {
    const { session } = this.#run;
    if (traits.standsAlone) {
      throw new ScriptProblem(
        `${traits.command} cannot stand inside of the BEGIN of line ${segment.first.start.line}`,
        {
          place: placeIn(statement),
        },
      );
    }
    segment.last = statement;
    addTo(segment.hash, statement);
    const ends =
      traits.controlsTransaction && /^(?:COMMIT|END|ROLLBACK|ABORT)\b(?! TO\b)/.test(traits.command);
    if (!ends && traits.controlsTransaction && !/SAVEPOINT|^ROLLBACK TO|^RELEASE/.test(traits.command)) {
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
    await this.#sender.push(statement, traits);
    await this.#sender.flush();
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

  async #endOfFile(): Promise<void> {
    if (this.#segment?.isOfFile) {
      throw new ScriptProblem('this BEGIN has no COMMIT in the file', {
        place: placeIn(this.#segment.first),
      });
    }
    await this.#endSegment();
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
    this.#staysInTheWay ||= problem.staysInTheWay;
    if (!session.lost) await this.#tidyUp(problem);
    if (this.#flying && session.lost) {
      return new ScriptFailure(problem, {
        effect: 'unknown',
        left: `${this.#keptSentence()}${unknownSentence(this.#flying)}`,
      });
    }
    const isUntouched = this.#kept === 0 && !this.#resume.hasLeft;
    if (isUntouched && rolledBack === 'all' && !this.#hasTraces)
      return new ScriptFailure(problem, {
        effect: 'rolled back',
        left: 'Nothing of it took effect: the database is as before it.',
      });
    const traces = this.#hasTraces
      ? 'The failed one may leave traces (an INVALID index), which the next `up` removes.'
      : '';
    return new ScriptFailure(problem, { effect: 'partial', left: `${this.#keptSentence()}${traces}` });
  }

  /** Whoever reads the message wants to know why it failed: what goes wrong after that is not said. */
  async #tidyUp({ kind }: ScriptProblem): Promise<void> {
    const { session, settings } = this.#run;
    // The rows are those of whoever has the lock now.
    if (kind !== 'lock lost') await this.#mark().catch(() => undefined);
    await settings.restore(session).catch(() => undefined);
  }

  #keptSentence(): string {
    if (this.#kept === 0) return this.#resume.hasLeft ? 'What the earlier run did of it stays. ' : '';
    const which =
      this.#kept === 1
        ? 'Its first statement took effect and stays.'
        : `Its statements 1 to ${this.#kept} took effect and stay.`;
    const goesOn = this.#staysInTheWay
      ? 'Every `up` stops here until that is settled. '
      : `The next \`up\` goes on after ${this.#kept === 1 ? 'it' : 'them'}; what comes later in the file may be changed until then. `;
    return `${which} ${goesOn}`;
  }
}

function unknownSentence(statement: Statement): string {
  return `The connection was lost while statement ${statement.index} (line ${statement.start.line}) ran: the next \`up\` asks the server whether it took effect.`;
}
