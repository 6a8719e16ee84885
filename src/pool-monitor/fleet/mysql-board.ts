import type { OpenSession } from '../server/index.js';
import type { Board, BoardOptions, Meeting } from './board.js';
import { type Envelope, unpack } from './envelope.js';

/** How long a process shows what it has to tell at a time, in seconds: its connection can do nothing else meanwhile. */
const SHOWN_S = 1;
/** How many times a session that is there may show nothing: between two times it shows nothing for a moment. */
const MISSES = 3;

interface Known {
  readonly envelope: Envelope;
  misses: number;
}

/**
 * A user-level lock elects who sends. MySQL has no NOTIFY, and shows sessions of the same account one another's running
 * statement: what a process has to tell is the comment of a `DO SLEEP(1)`, for as long as there is something. Nothing is
 * written to a table, and nothing needs a right.
 */
export class MysqlBoard implements Board {
  readonly #options: BoardOptions;
  readonly #lock: string;
  readonly #mark: string;
  readonly #others = new Map<number, Known>();
  #session: OpenSession | undefined;
  #sends = false;
  #mine: string | undefined;
  #isShowing = false;
  /** Meetings for which an empty share is shown, after one that was not. */
  #emptyFor = 0;

  constructor(options: BoardOptions) {
    this.#options = options;
    this.#lock = `holdfast:${options.fleet}`;
    this.#mark = `/* holdfast-fleet ${options.fleet} `;
  }

  async join(session: OpenSession): Promise<void> {
    this.#session = session;
    this.#sends = false;
    this.#others.clear();
    // A statement that does nothing for a second is no slow query.
    await this.#ask('SET SESSION long_query_time = 3600');
  }

  async meet(mine: string | undefined): Promise<Meeting> {
    await this.#standAndHear();
    this.#show(mine);
    return {
      sends: this.#sends,
      others: new Map([...this.#others].map(([id, { envelope }]) => [id, envelope])),
    };
  }

  async leave(): Promise<void> {
    this.#mine = undefined;
    this.#emptyFor = 0;
    const sends = this.#sends;
    this.#sends = false;
    if (sends) await this.#ask(`SELECT RELEASE_LOCK('${this.#lock}')`);
  }

  /** One question: a second one would wait for the next second that something is shown. */
  async #standAndHear(): Promise<void> {
    const known = [...this.#others.keys()];
    const heard = `SELECT id, info, NULL AS got FROM information_schema.processlist WHERE id <> connection_id()
       AND (LOCATE('${this.#mark}', info) BETWEEN 1 AND 20${known.length > 0 ? ` OR id IN (${known.join(',')})` : ''})`;
    const stand = `SELECT NULL AS id, NULL AS info, GET_LOCK('${this.#lock}', 0) AS got UNION ALL `;
    const rows = await this.#ask(`${this.#sends ? '' : stand}${heard}`);
    const seen = new Set<number>();
    for (const { id, info, got } of rows) {
      if (id === null) this.#sends = Number(got) === 1;
      else {
        seen.add(Number(id));
        this.#hear(Number(id), Buffer.isBuffer(info) ? info.toString() : info);
      }
    }
    for (const id of known) if (!seen.has(id)) this.#others.delete(id);
  }

  #hear(id: number, info: unknown): void {
    const begin = this.#statement('');
    if (typeof info !== 'string' || !info.startsWith(begin)) {
      const other = this.#others.get(id);
      if (other && ++other.misses > MISSES) this.#others.delete(id);
      return;
    }
    const envelope = unpack(info.slice(begin.length, -' */'.length));
    if (envelope) this.#others.set(id, { envelope, misses: 0 });
    else this.#others.delete(id);
  }

  #show(mine: string | undefined): void {
    if (mine === undefined && this.#mine !== undefined) this.#emptyFor = MISSES;
    else if (mine === undefined) this.#emptyFor = Math.max(0, this.#emptyFor - 1);
    this.#mine = mine;
    if (this.#isShowing || (mine === undefined && this.#emptyFor === 0)) return;
    this.#isShowing = true;
    void this.#keepShowing().finally(() => (this.#isShowing = false));
  }

  async #keepShowing(): Promise<void> {
    const session = this.#session;
    while (this.#options.connection.session === session && (this.#mine !== undefined || this.#emptyFor > 0)) {
      try {
        await this.#ask(`${this.#statement(this.#mine ?? '')} */`);
      } catch {
        return;
      }
    }
  }

  #statement(packed: string): string {
    return `DO SLEEP(${SHOWN_S}) ${this.#mark}${packed}`;
  }

  #ask(sql: string): ReturnType<BoardOptions['connection']['ask']> {
    return this.#options.connection.ask(sql);
  }
}
