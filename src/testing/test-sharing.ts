import {
  currentSharing,
  resolveSource,
  runningTransactions,
  type RunningTransaction,
  setSharing,
  type SharedEnd,
  Sharing,
  type SharingOptions,
  TestTransactionError,
} from '../connection/index.js';
import { realDelay, settledInRealTime, timersAreFake } from './real-time.js';

/** How often the end of a test looks whether a transaction that nobody awaited has ended. */
const LOOK_EVERY_MS = 5;
/** How long after the grace the end of a test may take before fake timers are suspected, and what is aborted under them. */
const ALLOWANCE_MS = 500;

interface TestSharingOptions extends SharingOptions {
  /** How long the end waits for work that still runs, in milliseconds. */
  readonly graceMs: number;
}

/** The sharing of one test. It ends once, whoever asks for it first, and however often. */
export class TestSharing extends Sharing {
  /** Whether the runner tells of the end of each of its tests, even where one of their hooks has failed. */
  hearsOfEnd = true;
  /** Its tests that still run: more than one where they are refused. */
  #tests = 0;
  #refusesItsTests = false;
  readonly #options: TestSharingOptions;
  readonly #before = new Set(runningTransactions.on());
  /** Transactions that outlived the test. */
  #late: readonly RunningTransaction[] = [];
  #ending: Promise<void> | undefined;

  constructor(options: TestSharingOptions) {
    super(options);
    this.#options = options;
  }

  /** Settles when the test is rolled back, where that has begun. */
  get ending(): Promise<void> | undefined {
    return this.#ending;
  }

  /** A test has begun. `hears` is whether {@link left} will be called at its end. */
  joined(hears: boolean): void {
    this.#tests++;
    this.hearsOfEnd &&= hears;
  }

  /** A test is over. The last one of those that are refused takes the refusal with it. */
  left(): void {
    this.#tests--;
    if (this.#tests > 0 || !this.#refusesItsTests || !this.hearsOfEnd) return;
    this.#abortLate();
    if (currentSharing() === this) setSharing(undefined);
  }

  /** Refuses every statement until the tests that run are over, or for ever where nobody would tell. */
  refuseItsTests(error: Error): void {
    this.#refusesItsTests = true;
    this.refuse(error);
  }

  /** Rolls back, and puts the sharing out of force. Rejects with what is to fail the test. */
  rollBack(): Promise<void> {
    return (this.#ending ??= this.#rollBack());
  }

  async #rollBack(): Promise<void> {
    const { graceMs, sources } = this.#options;
    // One that has sent no statement yet is unknown to the shared transactions, and would begin in the next test.
    let waitedMs = 0;
    for (; this.#running().length > 0 && waitedMs < graceMs; waitedMs += LOOK_EVERY_MS)
      await realDelay(LOOK_EVERY_MS);
    let ends: readonly SharedEnd[];
    try {
      ends = await this.#endWithin(Math.max(0, graceMs - waitedMs));
      this.#abortLate();
    } finally {
      // A refused one stays: what its test still does would be kept.
      if (!this.refusal && currentSharing() === this) setSharing(undefined);
    }
    const failure = ends.find((each) => each.failure)?.failure;
    if (failure) throw failure;
    const unfinished = [
      ...this.#late.map(({ name, openedAt }) => ({ name, askedAt: openedAt })),
      ...ends.flatMap((each) => each.unfinished),
    ];
    if (unfinished.length > 0) throw stillRan(unfinished, graceMs);
    const missing = sources?.find((name) => !isManaged(name));
    if (missing !== undefined && this.passedBy.length > 0) {
      throw new TestTransactionError(
        `rollbackPerTest({ dataSource }) names "${missing.slice(0, 100)}", which nobody manages, and statements of the test ran on "${this.passedBy.join('", "')}" without being rolled back. Correct the name.`,
      );
    }
  }

  /** Ends the transactions. Under fake timers the grace would last for ever: then what can be aborted is. */
  async #endWithin(graceMs: number): Promise<readonly SharedEnd[]> {
    const ending = this.end(graceMs);
    if (await settledInRealTime(ending, graceMs + ALLOWANCE_MS)) return ending;
    if (!(await timersAreFake())) return ending;
    this.#abortLate();
    if (await settledInRealTime(ending, ALLOWANCE_MS)) return ending;
    const stuck = new TestTransactionError(
      'A test ended with work that still runs and with fake timers in place, so the time that it is waited for never ends, and neither does its transaction. ' +
        'Await the work inside the test, or put the real timers back before the test ends (useRealTimers() in an afterEach hook). Nothing was kept, and no further statement is taken.',
    );
    this.refuse(stuck);
    throw stuck;
  }

  #abortLate(): void {
    const late = this.#running();
    this.#late = [...this.#late, ...late];
    for (const transaction of late) transaction.abort(isOver(transaction));
  }

  /** Transactions of the test that have not ended, and have not been aborted. */
  #running(): readonly RunningTransaction[] {
    const { sources } = this.#options;
    return runningTransactions
      .on()
      .filter((each) => !this.#before.has(each) && !this.#late.includes(each))
      .filter(({ source }) => sources?.includes(source.name) !== false);
  }
}

function isOver({ name, openedAt }: RunningTransaction): Error {
  return new TestTransactionError(
    `The test in which "${name}" was called is over, and its transaction rolled back. Await the work inside the test.`,
    { cause: openedAt },
  );
}

function stillRan(unfinished: SharedEnd['unfinished'], graceMs: number): Error {
  const names = [...new Set(unfinished.map(({ name }) => `"${name}"`))].join(', ');
  return new TestTransactionError(
    `The test ended while ${names} still ran, and ${graceMs} ms later still did. It is rolled back; await it inside the test. The cause is where the first began.`,
    { cause: unfinished[0]!.askedAt },
  );
}

function isManaged(name: string): boolean {
  try {
    return resolveSource(name).name === name;
  } catch {
    return false;
  }
}
