import type { SideConnection, SideRow } from '../../connection/index.js';
import { type Clock, codeOf, describeError, errorChain, type Timer } from '../../core/index.js';
import { ProblemLog } from '../problem-log.js';
import type { OpenSession, SessionFacts, SessionWords } from './session-facts.js';

export interface KeptConnectionOptions {
  /** For logs. */
  readonly pool: string;
  readonly clock: Clock;
  readonly words: SessionWords;
  /** Opens a connection. May reject. */
  open(limitMs: number): Promise<SideConnection>;
  /** Whether nobody needs it any more: the pool has ended. */
  isOver(): boolean;
}

/** No statement of the monitor may take longer. */
const STATEMENT_LIMIT_MS = 4000;
/** How long the server may take to answer, or to let a connection in. It has told its own limit by then. */
const ANSWER_LIMIT_MS = 5000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
/** Less than half of what the server waits for a session that says nothing. */
const PING_MS = 30_000;

/** What servers say that let nobody in, because there are too many already. */
const FULL = new Set(['53300', 'ER_CON_COUNT_ERROR', 'ER_TOO_MANY_USER_CONNECTIONS', '1040', '1203']);

/**
 * The monitor's own connection, opened at the start and kept: a server that is full lets no new one in. One that is lost is
 * opened again, later each time. Nothing here throws into the application, nor holds the process open.
 */
export class KeptConnection {
  readonly #options: KeptConnectionOptions;
  readonly #log: ProblemLog;
  #session: OpenSession | undefined;
  #problem: string | undefined = 'it is not open yet';
  #isFull = false;
  #stopped = true;
  #retryMs = FIRST_RETRY_MS;
  #timer: Timer | undefined;
  #opening: Promise<void> | undefined;
  /** The last statement in line. */
  #last: Promise<unknown> = Promise.resolve();
  /** Ends the wait for the answer of the statement that runs. */
  #fail: ((error: Error) => void) | undefined;
  /** What was lost without a goodbye: the server may believe in it still, and in the locks that it holds. */
  #stale: SessionFacts | undefined;

  constructor(options: KeptConnectionOptions) {
    this.#options = options;
    this.#log = new ProblemLog({ pool: options.pool });
  }

  /** Opens it, unless it is. Resolves when it is open, or could not be opened at the first try. */
  start(): Promise<void> {
    this.#stopped = false;
    return this.#open();
  }

  /** The session that is held now; another object after each loss. */
  get session(): OpenSession | undefined {
    return this.#session;
  }

  /** Why there is no session, as the end of a sentence. */
  get problem(): string | undefined {
    return this.#session ? undefined : this.#problem;
  }

  /** Whether the server had no room for it at the last try. */
  get isFull(): boolean {
    return !this.#session && this.#isFull;
  }

  /** Runs one statement, after those before it. Rejects with the driver's error, and where there is no session. */
  ask(sql: string): Promise<readonly SideRow[]> {
    const answer = this.#last.then(() => this.#send(sql));
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** Closes it. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.clear();
    const session = this.#session;
    this.#session = undefined;
    this.#problem = 'it was closed';
    this.#fail?.(new Error('the connection was closed'));
    await session?.side.end();
  }

  #open(): Promise<void> {
    if (this.#session) return Promise.resolve();
    return (this.#opening ??= this.#tryToOpen().finally(() => (this.#opening = undefined)));
  }

  async #tryToOpen(): Promise<void> {
    let side: SideConnection | undefined;
    try {
      side = await this.#options.open(ANSWER_LIMIT_MS);
      const session = await this.#look(side);
      if (this.#stopped) return await side.end();
      if (!side.isAlive) throw new Error('it was lost at once');
      side.onLost = () => this.#lose(session, new Error('the server or the network closed it'));
      this.#session = session;
      this.#isFull = false;
      this.#retryMs = FIRST_RETRY_MS;
      this.#log.works('holdfast: the pool monitor has its connection to the server again');
      this.#pingLater();
      await this.#endStale(session);
    } catch (error) {
      side?.destroy();
      this.#later(error);
    }
  }

  /** Learns whose session it is, and sets its limits where it is ours alone. */
  async #look(side: SideConnection): Promise<OpenSession> {
    const { words } = this.#options;
    const [row] = await this.#answer(side, words.look);
    if (!row) throw new Error('the server told nothing of the session');
    const facts = words.read(row);
    const isDirect = facts.backendId === side.toldId;
    if (isDirect) await this.#answer(side, words.settings(facts, STATEMENT_LIMIT_MS));
    return { ...facts, side, isDirect };
  }

  /** The server holds the locks of a session whose network is gone until it notices: for hours, by default. */
  async #endStale(session: OpenSession): Promise<void> {
    const stale = this.#stale;
    this.#stale = undefined;
    if (!stale || !session.isDirect) return;
    try {
      const { words } = this.#options;
      if ((await this.ask(words.find(stale))).length > 0) await this.ask(words.end(stale));
    } catch {
      // It went by itself, or is not ours to end.
    }
  }

  async #send(sql: string): Promise<readonly SideRow[]> {
    const session = this.#session;
    if (!session) throw new Error(`the monitor has no connection: ${this.#problem}`);
    try {
      const rows = await this.#answer(session.side, sql);
      if (session === this.#session) this.#pingLater();
      return rows;
    } catch (error) {
      if (!session.side.isAlive) this.#lose(session, error as Error);
      throw error;
    }
  }

  #answer(side: SideConnection, sql: string): Promise<readonly SideRow[]> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        timer.clear();
        this.#fail = undefined;
      };
      const fail = (error: Error): void => {
        over();
        reject(error);
      };
      const timer = this.#options.clock.setTimer(() => {
        side.destroy();
        fail(new Error(`the server did not answer within ${ANSWER_LIMIT_MS} ms`));
      }, ANSWER_LIMIT_MS);
      this.#fail = fail;
      side.query(sql).then((rows) => {
        over();
        resolve(rows);
      }, fail);
    });
  }

  #lose(session: OpenSession, error: Error): void {
    if (session !== this.#session) return;
    this.#session = undefined;
    if (session.isDirect) this.#stale = session;
    session.side.destroy();
    this.#fail?.(error);
    this.#later(error);
  }

  #later(error: unknown): void {
    this.#timer?.clear();
    this.#isFull = errorChain(error).some((link) => FULL.has(codeOf(link) ?? ''));
    this.#problem = this.#isFull
      ? 'the server is full and lets no further connection in'
      : describeProblem(error);
    if (this.#stopped) return;
    this.#log.failed(
      `holdfast: the pool monitor has no connection of its own to the server, and tries again: ${this.#problem}`,
      { error: describeError(error) },
    );
    // Not all processes of a fleet at the same moment.
    this.#at(this.#retryMs * (0.75 + Math.random() / 4), () => this.#open());
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
  }

  /** Learns of a loss that nobody told of, and keeps the server from ending a session that says nothing. */
  #pingLater(): void {
    this.#at(PING_MS, () => this.ask('SELECT 1'));
  }

  #at(delayMs: number, act: () => Promise<unknown>): void {
    this.#timer?.clear();
    this.#timer = this.#options.clock.setTimer(() => {
      if (this.#options.isOver()) void this.stop();
      else if (!this.#stopped) act().catch(() => {});
    }, delayMs);
  }
}

function describeProblem(error: unknown): string {
  const { message, code } = describeError(error);
  if (code && message.startsWith('(')) return `the driver, or the server, told ${code}`;
  return code ? `${message} (${code})` : message;
}
