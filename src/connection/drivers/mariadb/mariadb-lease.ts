import { finished, PassThrough, type Readable } from 'node:stream';
import type { DriverLease } from '../../driver-lease.js';
import { noteLocks } from './mariadb-session.js';
import type { MariadbConnection, MariadbPrepared } from './mariadb-types.js';

type Members = Record<PropertyKey, (...args: unknown[]) => unknown>;

/** The methods that send, and what those that are given no text send. */
const SENDING: Readonly<Record<string, string | undefined>> = {
  query: undefined,
  execute: undefined,
  batch: undefined,
  ping: undefined,
  changeUser: undefined,
  reset: undefined,
  importFile: undefined,
  beginTransaction: 'START TRANSACTION',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
};

/**
 * What the holder of a lease gets: the connection, seen through a lease of its own, so that a holder whose lease has
 * ended can neither release nor disturb the next one's.
 */
export function leaseConnection(
  connection: MariadbConnection,
  lease: DriverLease<MariadbConnection>,
): MariadbConnection {
  const members = connection as unknown as Members;
  // All that the holder is handed refers to this: once it is collected, nobody can release any more.
  const held = new HeldLease(lease, connection);
  const own: Record<PropertyKey, unknown> = {
    destroy: () => held.lease.release(new Error('its holder destroyed it')),
    queryStream: (...args: unknown[]) =>
      held.stream(textOf(args[0]), () => call(members, 'queryStream', args)),
    prepare: async (...args: unknown[]) => {
      const text = textOf(args[0]);
      const prepared = await held.send(text, () => call(members, 'prepare', args));
      return leasePrepared(prepared as MariadbPrepared, text, held);
    },
  };
  for (const [method, text] of Object.entries(SENDING)) {
    const send = (...args: unknown[]): Promise<unknown> =>
      held.send(text ?? textOf(args[0]), () => call(members, method, args));
    own[method] = send;
  }
  const release = async (): Promise<void> => held.lease.release();
  for (const method of ['release', 'end', 'close', Symbol.asyncDispose]) own[method] = release;
  lease.watchHolder(held);
  return faceOf(connection, own);
}

/** A prepared statement sends on its connection as well. */
function leasePrepared(
  prepared: MariadbPrepared,
  text: string | undefined,
  held: HeldLease,
): MariadbPrepared {
  const members = prepared as unknown as Members;
  return faceOf(prepared, {
    execute: (...args: unknown[]) => held.send(text, () => call(members, 'execute', args)),
    executeStream: (...args: unknown[]) => held.stream(text, () => call(members, 'executeStream', args)),
  });
}

/** Sends under a lease, as long as it lasts. The connector does not tell what runs: it is counted. */
class HeldLease {
  readonly lease: DriverLease<MariadbConnection>;
  readonly #connection: MariadbConnection;

  constructor(lease: DriverLease<MariadbConnection>, connection: MariadbConnection) {
    this.lease = lease;
    this.#connection = connection;
  }

  async send(text: string | undefined, work: () => unknown): Promise<unknown> {
    const stale = this.lease.checkUse('query');
    if (stale) throw stale;
    this.lease.used(text);
    noteLocks(this.#connection, text);
    this.lease.inFlight++;
    try {
      return await work();
    } finally {
      this.lease.inFlight--;
    }
  }

  stream(text: string | undefined, open: () => unknown): Readable {
    const stale = this.lease.checkUse('query');
    if (stale) return new PassThrough({ objectMode: true }).destroy(stale);
    this.lease.used(text);
    const rows = open() as Readable;
    this.lease.inFlight++;
    finished(rows, { writable: false }, () => void this.lease.inFlight--);
    return rows;
  }
}

/** The connector's methods use private members, so they run on the object itself. */
function faceOf<T extends object>(target: T, own: Readonly<Record<PropertyKey, unknown>>): T {
  return new Proxy(target, {
    get: (_, key) => {
      if (Object.hasOwn(own, key)) return own[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

function call(members: Members, method: string, args: unknown[]): unknown {
  return members[method]!(...args);
}

/** The text that a method is called with. */
export function textOf(sql: unknown): string | undefined {
  const text = typeof sql === 'string' ? sql : (sql as { sql?: unknown } | undefined)?.sql;
  return typeof text === 'string' ? text : undefined;
}
