import { withCallSite } from '../connection/index.js';
import { invalid } from '../core/index.js';
import type { PrismaClientLike } from './prisma-types.js';

const WATCHED = Symbol.for('holdfast.watched-prisma/1');

type Transaction = (this: unknown, ...args: unknown[]) => unknown;
type Watchable = { $transaction?: Transaction; [WATCHED]?: true };

/**
 * Lets the pool monitor name the line that called `$transaction`, which Prisma begins on a stack of its own: for a service
 * that uses the monitor without `managePrisma`, which does the same. Changes `$transaction` of this instance only;
 * idempotent. Make clients that are extended (`$extends`) from it afterwards.
 *
 * @throws InvalidOptionsError for what is no PrismaClient.
 *
 * @example
 * ```ts
 * const monitor = createPoolMonitor({ service: 'orders' }).start();
 * monitor.watch(pool, { name: 'shop' });
 * const prisma = watchPrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
 * ```
 */
export function watchPrisma<C extends PrismaClientLike>(client: C): C {
  const watchable = client as unknown as Watchable;
  const original = (watchable as Partial<Watchable> | null)?.$transaction;
  if (typeof original !== 'function') throw invalid('watchPrisma(client)', client, 'a PrismaClient');
  if (watchable[WATCHED]) return client;
  const watched: Transaction = function (this: unknown, ...args) {
    return withCallSite(() => original.apply(this, args));
  };
  Object.defineProperty(client, '$transaction', { value: watched, configurable: true, writable: true });
  Object.defineProperty(client, WATCHED, { value: true });
  return client;
}
