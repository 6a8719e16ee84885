import type { Clock } from '../core/index.js';

/** A row by the names of its columns. Of what type a value is, is the driver's affair: ask for texts and numbers. */
export type SideRow = Readonly<Record<string, unknown>>;

export interface SideConnectionOptions {
  /** `application_name` of PostgreSQL, at most 63 bytes; `program_name` among the connection attributes of MySQL. */
  readonly applicationName: string;
  /** How long the server may take to let it in, in milliseconds. */
  readonly limitMs: number;
  readonly clock: Clock;
}

/** A connection to a pool's server that nobody else uses. It does not hold the process open. */
export interface SideConnection {
  /** The session's id as the server told it at the login. A pooler tells one of its own. */
  readonly toldId: number | undefined;
  /** Whether it is one of the pool's connections, which the pool has one less of. */
  readonly isOfPool: boolean;
  readonly isAlive: boolean;
  /** Called once, when it is lost without `end`. */
  onLost: (() => void) | undefined;
  /** Called at each NOTIFY that it listens to, where the server has such. */
  onNotification: ((notification: SideNotification) => void) | undefined;
  /** Runs one statement, after those before it. Rejects with the driver's error. */
  query(sql: string): Promise<readonly SideRow[]>;
  /** Says goodbye where the server still listens. Never rejects, and waits for nothing long. */
  end(): Promise<void>;
  /** Drops the connection at once. */
  destroy(): void;
}

/** PostgreSQL's NOTIFY. */
export interface SideNotification {
  readonly channel: string;
  readonly payload: string;
  /** The session that sent it. */
  readonly backendId: number;
}

/** What differs between the drivers. */
export interface SideDriver {
  readonly toldId: number | undefined;
  readonly isOfPool: boolean;
  query(sql: string): Promise<readonly SideRow[]>;
  /** Resolves once the server was told. */
  sayGoodbye(): Promise<unknown>;
  destroy(): void;
}

const GOODBYE_LIMIT_MS = 1000;

/** {@link SideConnection} over what a driver does. */
export class DriverSideConnection implements SideConnection {
  onLost: (() => void) | undefined;
  onNotification: ((notification: SideNotification) => void) | undefined;
  readonly #driver: SideDriver;
  readonly #clock: Clock;
  #isAlive = true;

  constructor(driver: SideDriver, clock: Clock) {
    this.#driver = driver;
    this.#clock = clock;
  }

  get toldId(): number | undefined {
    return this.#driver.toldId;
  }

  get isOfPool(): boolean {
    return this.#driver.isOfPool;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  query(sql: string): Promise<readonly SideRow[]> {
    return this.#driver.query(sql);
  }

  /** The driver says that it is gone. */
  lost(): void {
    if (!this.#isAlive) return;
    this.destroy();
    this.onLost?.();
  }

  async end(): Promise<void> {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(resolve, GOODBYE_LIMIT_MS);
      const told = (): void => {
        timer.clear();
        resolve();
      };
      this.#driver.sayGoodbye().then(told, told);
    });
    this.#driver.destroy();
  }

  destroy(): void {
    this.#isAlive = false;
    this.#driver.destroy();
  }
}

/** Settles as `login` does; rejects where a server, or a network, does not let the connection in in time. */
export function withinLimit<T>(
  login: Promise<T>,
  { clock, limitMs }: Pick<SideConnectionOptions, 'clock' | 'limitMs'>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimer(() => {
      const error = new Error(`the server did not let the connection in within ${limitMs} ms`);
      reject(Object.assign(error, { code: 'ETIMEDOUT' }));
    }, limitMs);
    void login.then(resolve, reject).finally(() => timer.clear());
  });
}
