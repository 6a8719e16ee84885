import type { SideNotification } from '../../connection/index.js';
import { MONITOR_NAME, type OpenSession } from '../server/index.js';
import { type Board, type BoardOptions, type Meeting, NoBoardError } from './board.js';
import { type Envelope, unpack } from './envelope.js';

/** A payload of NOTIFY holds less than 8000 bytes. */
const PART = 7000;
const HELLO = 'hello';

interface Parts {
  readonly of: string;
  readonly texts: (string | undefined)[];
}

/**
 * An advisory lock elects who sends; NOTIFY tells the others. Both are the session's: what a process that was killed held
 * and told is gone as soon as the server knows. Nothing is written to a table, and nothing needs a right.
 */
export class PostgresBoard implements Board {
  readonly #options: BoardOptions;
  readonly #channel: string;
  readonly #lock: bigint;
  readonly #others = new Map<number, Envelope>();
  readonly #parts = new Map<number, Parts>();
  #session: OpenSession | undefined;
  #sends = false;
  #told: string | undefined;
  #isAsked = false;
  #number = 0;

  constructor(options: BoardOptions) {
    this.#options = options;
    this.#channel = `holdfast_${options.fleet}`;
    this.#lock = BigInt.asIntN(64, BigInt(`0x${options.fleet.slice(0, 16)}`));
  }

  async join(session: OpenSession, onNews: () => void): Promise<void> {
    this.#others.clear();
    this.#parts.clear();
    this.#session = session;
    this.#sends = false;
    this.#told = undefined;
    session.side.onNotification = (notification) => {
      if (this.#hear(notification)) onNews();
    };
    const [row] = await this.#ask('SELECT pg_catalog.pg_is_in_recovery()::text AS replica');
    if (row?.['replica'] === 'true')
      throw new NoBoardError('the pool leads to a read replica, which takes no NOTIFY');
    await this.#ask(`LISTEN ${this.#channel}`);
    await this.#ask(`SELECT pg_catalog.pg_notify('${this.#channel}', '${HELLO}')`);
  }

  async meet(mine: string | undefined): Promise<Meeting> {
    if (mine !== this.#told || this.#isAsked) await this.#tell(mine);
    const known = [...this.#others.keys()];
    const [row] = await this.#ask(
      `SELECT ${this.#sends ? 'true' : `pg_catalog.pg_try_advisory_lock(${this.#lock})`}::text AS sends,
       (SELECT coalesce(json_agg(pid), '[]') FROM pg_catalog.pg_stat_activity
         WHERE pid = ANY ('{${known.join(',')}}'::int[]) AND application_name LIKE '${MONITOR_NAME}%')::text AS alive`,
    );
    this.#sends = row?.['sends'] === 'true';
    const alive = new Set(JSON.parse(String(row?.['alive'])) as number[]);
    for (const id of known) if (!alive.has(id)) this.#others.delete(id);
    return { sends: this.#sends, others: new Map(this.#others) };
  }

  async leave(): Promise<void> {
    if (this.#session) this.#session.side.onNotification = undefined;
    const sends = this.#sends;
    this.#sends = false;
    await this.#tell(undefined);
    await this.#ask(`UNLISTEN ${this.#channel}`);
    if (sends) await this.#ask(`SELECT pg_catalog.pg_advisory_unlock(${this.#lock})`);
  }

  async #tell(mine: string | undefined): Promise<void> {
    const isAnswer = this.#isAsked;
    this.#isAsked = false;
    // Nobody needs to be told that there is nothing, but who was told that there is.
    if (mine === undefined && this.#told === undefined) return;
    const text = mine ?? '';
    const parts = Math.max(1, Math.ceil(text.length / PART));
    const number = ++this.#number;
    const calls = Array.from({ length: parts }, (_, part) => {
      const payload = `${number}/${part}/${parts}/${text.slice(part * PART, (part + 1) * PART)}`;
      return `pg_catalog.pg_notify('${this.#channel}', '${payload}')`;
    });
    try {
      await this.#ask(`SELECT ${calls.join(', ')}`);
      this.#told = mine;
    } catch (error) {
      this.#isAsked ||= isAnswer;
      throw error;
    }
  }

  /** Whether it is news. */
  #hear({ channel, payload, backendId }: SideNotification): boolean {
    if (channel !== this.#channel || backendId === this.#session?.backendId) return false;
    if (payload === HELLO) return (this.#isAsked = true);
    const [, number, part, count, text] = /^(\d+)\/(\d+)\/(\d+)\/([\w+/=]*)$/.exec(payload) ?? [];
    if (number === undefined || Number(count) > 100 || Number(part) >= Number(count)) return false;
    let parts = this.#parts.get(backendId);
    if (parts?.of !== number || parts.texts.length !== Number(count)) {
      parts = { of: number, texts: Array.from({ length: Number(count) }, () => undefined) };
      this.#parts.set(backendId, parts);
    }
    parts.texts[Number(part)] = text!;
    if (parts.texts.includes(undefined)) return false;
    this.#parts.delete(backendId);
    const envelope = unpack(parts.texts.join(''));
    if (!envelope) return this.#others.delete(backendId);
    this.#others.set(backendId, envelope);
    return true;
  }

  #ask(sql: string): ReturnType<BoardOptions['connection']['ask']> {
    return this.#options.connection.ask(sql);
  }
}
