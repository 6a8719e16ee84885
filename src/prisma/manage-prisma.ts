import type { IsolationLevel } from '../core/index.js';
import { ambientScope, findManagedPool, type ManagedPool, type ManagedSource } from '../connection/index.js';
import { runInTransaction } from '../transaction/index.js';
import { UnsupportedPrismaClientError } from './errors.js';
import type { PrismaClientLike, PrismaInternals, PrismaTransactionOptions } from './prisma-types.js';
import { separateBatches } from './separate-batches.js';

/** The longest wait that Prisma's own timers keep; above about 2^31 ms they end at once with P2028. */
const FOR_EVER_MS = 2_000_000_000;

const MANAGED = Symbol.for('holdfast.managed-prisma/1');

/**
 * Lets a PrismaClient take part in holdfast's transactions. The client must have been made with
 * `new PrismaPg(pool)` on a pool that {@link managePool} manages. Inside a transaction its model calls, raw
 * queries and extended clients run on the transaction's connection; its own `$transaction` becomes a nested
 * scope whose `timeout` and `maxWait` no longer count. Outside, Prisma behaves as before. Idempotent; only this
 * instance is changed. Answers the same client.
 *
 * Throws {@link UnsupportedPrismaClientError} for a client on a pool of its own, on a pool of a second copy of
 * `pg`, on an unmanaged pool, and for a version of Prisma that is not known.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * managePool(pool);
 * const prisma = managePrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
 * ```
 */
export function managePrisma<C extends PrismaClientLike>(client: C): C {
  const marked = client as C & { [MANAGED]?: true };
  if (marked[MANAGED]) return client;
  const internals = client as unknown as PrismaInternals;
  const managed = findPool(internals);
  const options = internals._requestHandler?.dataloader?.options;
  if (!options || !separateBatches(options, () => managed.source)) {
    throw new UnsupportedPrismaClientError(
      `This PrismaClient (version ${internals._clientVersion ?? 'unknown'}) has no request batching where holdfast looks for it, ` +
        'so calls of two transactions could be answered by one SELECT. holdfast supports Prisma 7.',
    );
  }
  nestTransactions(client, () => managed.source);
  Object.defineProperty(client, MANAGED, { value: true });
  return client;
}

function findPool({ _engineConfig, _clientVersion }: PrismaInternals): ManagedPool {
  const adapter = _engineConfig?.adapter;
  if (!adapter) {
    throw new UnsupportedPrismaClientError(
      `This PrismaClient (version ${_clientVersion ?? 'unknown'}) was made without a driver adapter. holdfast needs Prisma 7 and ` +
        'new PrismaClient({ adapter: new PrismaPg(pool) }), with a pool that managePool() manages.',
    );
  }
  if (!adapter.externalPool) {
    throw new UnsupportedPrismaClientError(
      'This PrismaClient runs on a pool of its own. Give its adapter the managed pool: new PrismaPg(pool). If you do, then that pool comes ' +
        "from a second copy of pg, which the adapter takes for options: make both resolve to one copy (npm ls pg), or import Pool from the adapter's.",
    );
  }
  const managed = findManagedPool(adapter.externalPool);
  if (!managed?.serving) {
    throw new UnsupportedPrismaClientError(
      'The pool that this PrismaClient runs on is not managed. Call managePool(pool) before managePrisma(prisma).',
    );
  }
  return managed;
}

/** `$transaction` inside a transaction is a nested scope: siblings take turns, and a failure undoes just its own work. */
function nestTransactions(client: PrismaClientLike, source: () => ManagedSource): void {
  const original = client.$transaction as TransactionMethod;
  const nested: TransactionMethod = function (this: unknown, work, options) {
    if (!ambientScope(source())) return original.call(this, work, options);
    const { isolationLevel, ...rest } = options ?? {};
    return runInTransaction(
      // The transaction around it has a time limit of its own; Prisma's would end a part of it behind our back.
      () => original.call(this, work, { ...rest, maxWait: FOR_EVER_MS, timeout: FOR_EVER_MS }),
      {
        dataSource: source().name,
        propagation: 'NESTED',
        name: 'PrismaClient.$transaction',
        ...(isolationLevel && { isolationLevel: sqlName(isolationLevel) }),
      },
    );
  };
  Object.defineProperty(client, '$transaction', { value: nested, configurable: true, writable: true });
}

type TransactionMethod = (
  this: unknown,
  work: unknown,
  options?: PrismaTransactionOptions,
) => Promise<unknown>;

/** Prisma's `ReadCommitted` is SQL's `READ COMMITTED`. */
function sqlName(level: string): IsolationLevel {
  return level.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toUpperCase() as IsolationLevel;
}
