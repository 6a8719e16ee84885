import type { Dialect, Timer } from '../../core/index.js';
import { type Clock, describeError, getLogger } from '../../core/index.js';
import type { Fleet, FleetRole, FleetShare } from '../alerts/fleet.js';
import type { KeptConnection, OpenSession } from '../server/index.js';
import { type Board, fleetName, type Meeting, NoBoardError } from './board.js';
import { isEmpty, pack } from './envelope.js';
import { MysqlBoard } from './mysql-board.js';
import { PostgresBoard } from './postgres-board.js';

export interface DatabaseFleetOptions {
  /** To the primary of a data source that all processes of the service use. */
  readonly connection: KeptConnection;
  readonly dialect: Pick<Dialect, 'name'>;
  readonly clock: Clock;
  readonly service: string;
  readonly environment: string | undefined;
  /** This process among the others: no two may have the same. */
  readonly instance: string;
  /** How often the processes meet, in milliseconds. Default: 5000. */
  readonly everyMs?: number;
}

const EVERY_MS = 5000;
/** For how long nobody is heard before each speaks for itself, in milliseconds: a restart of the server is no split. */
const GRACE_MS = 10_000;

const POOLED =
  'a pooler stands between the pool and the server, through which processes cannot hold a lock; give the monitor a pool that leads to the server itself';

/** The processes of a service that share a database: one of them sends. */
export class DatabaseFleet implements Fleet {
  readonly #options: DatabaseFleetOptions;
  readonly #board: Board;
  readonly #listeners = new Set<() => void>();
  #mine: string | undefined;
  /** Where the last meeting was. */
  #joined: OpenSession | undefined;
  #meeting: Meeting = { sends: false, others: new Map() };
  /** Why there can be no meeting on this session. */
  #refused: string | undefined;
  /** `clock.now()` of the last meeting. */
  #heardAt: number;
  #problem: string | undefined;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #stopped = true;
  #announced = '';

  constructor(options: DatabaseFleetOptions) {
    this.#options = options;
    const { connection, dialect, service, environment } = options;
    const parts = { connection, fleet: fleetName(service, environment) };
    this.#board = dialect.name === 'postgres' ? new PostgresBoard(parts) : new MysqlBoard(parts);
    this.#heardAt = options.clock.now();
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#heardAt = this.#options.clock.now();
    this.#soon();
  }

  /** Lets another process send. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.clear();
    await this.#running;
    if (this.#hears()) await this.#board.leave().catch(() => {});
    this.#joined = undefined;
  }

  role(): FleetRole {
    if (this.#hears()) return { sends: this.#meeting.sends, alone: undefined };
    const { connection, clock } = this.#options;
    if (this.#refused !== undefined) return { sends: true, alone: this.#refused };
    if (clock.now() - this.#heardAt < GRACE_MS) return { sends: false, alone: undefined };
    return { sends: true, alone: connection.problem ?? this.#problem ?? 'the database does not answer' };
  }

  share(share: FleetShare): void {
    const { instance } = this.#options;
    const mine = isEmpty(share) ? undefined : pack({ instance, share });
    if (mine === this.#mine) return;
    this.#mine = mine;
    this.#soon();
  }

  others(): ReadonlyMap<string, FleetShare> {
    const others = new Map<string, FleetShare>();
    if (!this.#hears()) return others;
    for (const [id, { instance, share }] of this.#meeting.others) {
      const isTaken = instance === this.#options.instance || others.has(instance);
      others.set(isTaken ? `${instance} (session ${id})` : instance, share);
    }
    return others;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Whether what was learnt last still holds: a session that was lost holds no lock. */
  #hears(): boolean {
    return this.#joined !== undefined && this.#joined === this.#options.connection.session;
  }

  /** Meets now, or once more when the meeting that goes on is over. */
  readonly #soon = (): void => {
    if (this.#stopped) return;
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  };

  async #run(): Promise<void> {
    this.#timer?.clear();
    while (this.#isWanted && !this.#stopped) {
      this.#isWanted = false;
      await this.#meet();
      this.#announce();
    }
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(this.#soon, this.#options.everyMs ?? EVERY_MS);
  }

  async #meet(): Promise<void> {
    const { session } = this.#options.connection;
    if (!session) {
      this.#refused = undefined;
      return;
    }
    try {
      if (session !== this.#joined) {
        if (this.#refused !== undefined) return;
        if (!session.isDirect) throw new NoBoardError(POOLED);
        await this.#board.join(session, this.#soon);
      }
      this.#meeting = await this.#board.meet(this.#mine);
      this.#joined = session;
      this.#heardAt = this.#options.clock.now();
      this.#problem = undefined;
    } catch (error) {
      if (error instanceof NoBoardError) this.#refused = error.message;
      else this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#joined = undefined;
    const { message, code } = describeError(error);
    this.#problem = code ? `${message} (${code})` : message;
    getLogger().debug(
      { error: describeError(error) },
      'holdfast: the processes of the service could not meet; it is tried again',
    );
  }

  #announce(): void {
    const now = JSON.stringify([this.role(), [...this.others()]]);
    if (now === this.#announced) return;
    this.#announced = now;
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        getLogger().error({ error: describeError(error) }, 'holdfast: a listener of the fleet threw');
      }
    }
  }
}
