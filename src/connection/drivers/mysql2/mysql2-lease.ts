import type { DriverLease } from '../../driver-lease.js';
import type { MysqlCallback, MysqlCommand, MysqlConnection } from './mysql2-types.js';
import { handOutStatement, textOf } from './recorded-call.js';

const leases = new WeakMap<MysqlConnection, DriverLease<MysqlConnection>>();

/** The lease of a connection that was handed out; `undefined` for the connection itself. */
export function leaseOf(face: MysqlConnection): DriverLease<MysqlConnection> | undefined {
  return leases.get(face);
}

/**
 * What the holder of a lease gets: the connection itself, seen through a lease of its own, so that a holder whose
 * lease has ended can neither release nor disturb the next one's. Every command of a mysql2 connection goes through
 * its `addCommand`.
 */
export function leaseConnection(
  connection: MysqlConnection,
  lease: DriverLease<MysqlConnection>,
): MysqlConnection {
  // All that the holder is handed refers to this: once it is collected, nobody can release any more.
  const held = { lease };
  const own: Record<PropertyKey, unknown> = {
    addCommand: (command: MysqlCommand) => {
      const stale = held.lease.checkUse('query');
      if (stale) return refuse(command, stale);
      if (held.lease.watched) held.lease.used(textOf(command), command.onResult ? 'query' : 'stream');
      return connection.addCommand(command);
    },
    prepare: (options: unknown, callback?: MysqlCallback) =>
      connection.prepare.call(face, options, callback && handOutStatement(face, callback)),
    release: () => held.lease.release(),
    [Symbol.dispose]: () => {
      if (!lease.released || lease.reclaimed) held.lease.release();
    },
    // mysql2 lets the holder of a connection end it; the pool then makes another.
    end: (callback?: (error?: Error) => void) => {
      const stale = lease.reclaimed ? undefined : held.lease.checkUse('end');
      if (stale) throw stale;
      if (lease.released && !lease.reclaimed) return;
      lease.release();
      callback?.();
    },
    destroy: () => {
      const stale = lease.reclaimed ? undefined : held.lease.checkUse('end');
      if (stale) throw stale;
      if (lease.released && !lease.reclaimed) connection.destroy();
      else lease.release(new Error('its holder destroyed it'));
    },
  };
  lease.watchHolder(held);
  const face: MysqlConnection = new Proxy(connection, {
    get: (target, key) => (Object.hasOwn(own, key) ? own[key] : Reflect.get(target, key)),
    set: (target, key, value) => {
      if (Object.hasOwn(own, key)) own[key] = value;
      else Reflect.set(target, key, value);
      return true;
    },
  });
  leases.set(face, lease);
  return face;
}

function refuse(command: MysqlCommand, error: Error): MysqlCommand {
  process.nextTick(() => {
    if (command.onResult) command.onResult(error);
    else command.emit('error', error);
    command.emit('end');
  });
  return command;
}
