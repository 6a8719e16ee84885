import type { RecordedEntry } from '../history/journal.js';
import type { Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';
import { whenIdle } from './backend.js';
import { addTo, hashOf, sha256Of } from './statement-hash.js';
import { placeIn } from './place.js';
import { ScriptProblem } from './script-problem.js';
import type { ScriptRun } from './script-run.js';
import { allowance } from './statement-sender.js';

/** What an earlier run did of a script, held against the file as it is read again. */
export class JournalResume {
  readonly #run: ScriptRun;
  #entries: readonly RecordedEntry[] = [];
  #at = 0;
  /** How many of the entries are of statements that had not taken effect. */
  #forgotten = 0;
  #hash = hashOf();

  constructor(run: ScriptRun) {
    this.#run = run;
  }

  /** Whether something of an earlier run is in the database, or may be. */
  get hasLeft(): boolean {
    return this.#entries.length > this.#forgotten;
  }

  /** Whether an earlier run was here. */
  get isResuming(): boolean {
    return this.#entries.length > 0;
  }

  async load(): Promise<void> {
    const { journal, session, profile, emit } = this.#run;
    if (journal === undefined) return;
    await journal.ensure(session);
    this.#entries = await journal.list(session, profile.script);
    const last = this.#entries.at(-1);
    if (last === undefined) return;
    const done = last.finished ? last.last : last.first - 1;
    emit({
      kind: 'note',
      script: profile.script,
      message: `An earlier run got as far as ${reached(last)}; ${answered(done)} It goes on from there.`,
    });
  }

  /** Whether the statement took effect already. Throws for one that was edited after it had. */
  async covers(statement: Statement, traits: StatementTraits): Promise<boolean> {
    const entry = this.#entries[this.#at];
    if (entry === undefined) return false;
    if (!entry.finished) return this.#settle(entry, statement, traits);
    return this.#wasDone(entry, statement);
  }

  /** The same for a dry run, which asks nothing and settles nothing: of one without an answer it says that. */
  foresee(statement: Statement): 'done' | 'undecided' | 'to run' {
    const entry = this.#entries[this.#at];
    if (entry === undefined) return 'to run';
    if (entry.finished) return this.#wasDone(entry, statement) ? 'done' : 'to run';
    this.#next();
    return 'undecided';
  }

  /** Throws when the file ended before what was done of it. */
  requireAllSeen(): void {
    const entry = this.#entries[this.#at];
    if (entry !== undefined) throw this.#edited(entry);
  }

  #wasDone(entry: RecordedEntry, statement: Statement): boolean {
    addTo(this.#hash, statement);
    if (statement.index < entry.last) return true;
    const sha256 = this.#hash.digest('hex');
    if (sha256 !== entry.sha256) throw this.#edited(entry, statement);
    this.#requireAllowed(entry, statement);
    this.#next();
    return true;
  }

  #next(): void {
    this.#at++;
    this.#hash = hashOf();
  }

  /** The answer to this one never came. The server is asked, once the session that sent it is done with it. */
  async #settle(entry: RecordedEntry, statement: Statement, traits: StatementTraits): Promise<boolean> {
    const { session, script, profile, journal, signals, emit } = this.#run;
    const note = (message: string): void => emit({ kind: 'note', script: profile.script, message });
    const which = `Statement ${entry.first} (line ${entry.line})`;
    this.#next();
    await whenIdle(
      session,
      { backendId: entry.backendId, at: entry.startedAt },
      {
        signals,
        onWaiting: () =>
          note(`${which} is still run by the session ${entry.backendId} of an earlier run: waiting for it.`),
      },
    );
    const answer = await script.language.landed.landed(session, {
      statement,
      traits,
      fingerprint: entry.fingerprint,
    });
    if (answer === 'unknown') throw this.#undecided(entry, statement);
    if (answer === 'not landed') {
      await script.language.landed.removeTraces(session, traits);
      await journal?.forget(session, profile.script, entry.first);
      this.#forgotten++;
      note(`${which} had not taken effect: it is run now.`);
      return false;
    }
    if (sha256Of(statement) !== entry.sha256) throw this.#edited(entry, statement);
    await journal?.finished(session, profile.script, { first: entry.first });
    note(`${which} had taken effect: it is not run again.`);
    return true;
  }

  #requireAllowed({ warnings, line, first }: RecordedEntry, statement: Statement): void {
    const { allowWarnings } = this.#run.options;
    const bad = warnings.filter((code) => !allowWarnings.has(code));
    if (bad.length === 0) return;
    throw new ScriptProblem(
      `statement ${first} (line ${line}) took effect in an earlier run with a warning that is not allowed: ${bad.join(', ')}`,
      {
        kind: 'warning',
        staysInTheWay: true,
        place: placeIn(statement),
        warnings: bad.map((code) => ({ code, level: 'warning', message: 'recorded by an earlier run' })),
        next: `Where its effect is as it should be, allow it: ${allowance(bad)}. Else take back by hand what the migration did, correct it, and run \`repair\`.`,
      },
    );
  }

  #edited(entry: RecordedEntry, statement?: Statement): ScriptProblem {
    const which =
      entry.first === entry.last ? `statement ${entry.first}` : `statements ${entry.first} to ${entry.last}`;
    return new ScriptProblem(
      `${which} took effect in an earlier run, and the file has changed there since; it was: ${entry.text}`,
      {
        place: statement && placeIn(statement),
        staysInTheWay: true,
        next: 'Bring back the text that was run; only what comes after it may change. Or take back by hand what the migration did, and run `repair`: then it begins anew.',
      },
    );
  }

  #undecided(entry: RecordedEntry, statement: Statement): ScriptProblem {
    const { journal } = this.#run;
    const where = `WHERE script = '${this.#run.profile.script.replaceAll("'", "''")}' AND first_statement = ${entry.first}`;
    return new ScriptProblem(
      `statement ${entry.first} was sent by an earlier run, and its answer never came, or it failed half-way; the server's catalogue cannot say whether it took effect`,
      {
        place: placeIn(statement),
        staysInTheWay: true,
        next:
          'Look at what it does. If it took effect: ' +
          `UPDATE ${journal?.table} SET finished_at = started_at ${where}; ` +
          `if it did not: DELETE FROM ${journal?.table} ${where}; then run \`up\` again.`,
      },
    );
  }
}

/** Of statements in one transaction the journal has the line of the first. */
function reached({ first, last, line }: RecordedEntry): string {
  return first === last
    ? `statement ${last} (line ${line})`
    : `statement ${last}, in one transaction with those from statement ${first} (line ${line}) on`;
}

function answered(done: number): string {
  if (done === 0) return 'nothing is known to have taken effect.';
  return done === 1 ? 'the first one took effect.' : `1 to ${done} took effect.`;
}
