import type { DriverLease } from '../../driver-lease.js';
import { memberReader } from './member-reader.js';
import { callBack, isSubmittable, textOf } from './pg-transaction-client.js';
import type { PgCallback, PgClient } from './pg-types.js';

/**
 * What the holder of a lease gets: the client itself, seen through a lease of its own, so that a holder whose
 * lease has ended can neither release nor disturb the next one's. Two loans of one connection are therefore two
 * objects; what a holder writes on one is on the connection, except a `query`, `release` or `end` of its own.
 */
export function leaseClient(client: PgClient, lease: DriverLease<PgClient>): PgClient {
  const { query, end } = client;
  // All that the holder is handed refers to this: once it is collected, nobody can release any more.
  const held = { lease };
  const own: Record<PropertyKey, unknown> = {
    release: (destroyBecause?: Error | boolean) => held.lease.release(destroyBecause),
    query(...args: [config: unknown, values?: unknown, callback?: unknown]): unknown {
      const stale = held.lease.checkUse('query');
      if (stale) return refuseQuery(stale, args);
      if (held.lease.watched)
        held.lease.used(textOf(args[0]), args[0] && isSubmittable(args[0]) ? 'stream' : 'query');
      return query.apply(client, args);
    },
    end(...args: [callback?: unknown]): unknown {
      const stale = held.lease.checkUse('end');
      return stale ? refuseQuery(stale, [undefined, args[0]]) : Reflect.apply(end, client, args);
    },
  };
  lease.watchHolder(held);
  const read = memberReader();
  const face: PgClient = new Proxy(client, {
    // A holder may replace query and release (node-postgres documents it): on its own lease, not on the client.
    get: (target, key) => (Object.hasOwn(own, key) ? own[key] : read(target, key, face)),
    set(target, key, value) {
      if (Object.hasOwn(own, key)) own[key] = value;
      else Reflect.set(target, key, value, target);
      return true;
    },
  });
  return face;
}

/** Tells `error` in the style that the query was called in: through its callback, its promise or its submittable. */
export function refuseQuery(
  error: Error,
  [config, values, callback]: [config: unknown, values?: unknown, callback?: unknown],
): unknown {
  const done = [callback, values].find((candidate) => typeof candidate === 'function');
  const rejected = Promise.reject(error);
  if (done) {
    callBack(rejected, done as PgCallback);
    return undefined;
  }
  if (config == null || !isSubmittable(config)) return rejected;
  rejected.catch(() => (config as { handleError?(error: Error): void }).handleError?.(error));
  return config;
}
