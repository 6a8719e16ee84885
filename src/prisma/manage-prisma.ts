import { HoldfastError } from '../core/index.js';
import {
  findManagedPool,
  findManagedSqlite,
  type ManagedPool,
  type ManagedSource,
} from '../connection/index.js';
import { UnsupportedPrismaClientError } from './errors.js';
import { SQLITE_ADAPTER } from './manage-sqlite-adapter.js';
import { OwnTransactions } from './own-transactions.js';
import type {
  PrismaClientLike,
  PrismaEngine,
  PrismaInternals,
  PrismaRequestHandler,
} from './prisma-types.js';
import { separateBatches } from './separate-batches.js';

const ADAPTER = '@prisma/adapter-pg';
const MANAGED = Symbol.for('holdfast.managed-prisma/1');

type Client = PrismaClientLike & PrismaInternals & { [MANAGED]?: ManagedSource };

/**
 * Lets a PrismaClient take part in holdfast's transactions. The client must have been made with
 * `new PrismaPg(pool)` on a pool that `managePool` manages, or on an adapter of `manageSqliteAdapter`. Inside a transaction its model calls, raw
 * queries and extended clients run on the transaction's connection; its own `$transaction` becomes a nested
 * scope whose `timeout` and `maxWait` do not count. Outside, Prisma behaves as before. Idempotent; only this
 * client and those extended from it, before or after, are changed. Answers the client it was given.
 *
 * Throws {@link UnsupportedPrismaClientError} for a client on a pool of its own, on a pool of a second copy of
 * `pg`, on an unmanaged pool, on another adapter, and for a version of Prisma that is not known.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * managePool(pool);
 * const prisma = managePrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
 * ```
 */
export function managePrisma<C extends PrismaClientLike>(client: C): C {
  const given = client as Client;
  const original = originalOf(given);
  if (original[MANAGED]) return client;
  const { source } = findSqlite(original) ?? findPool(original);
  const { engine, handler } = findInside(original);
  const transactions = new OwnTransactions(source);
  separateBatches(handler.dataloader.options, source, (frame) => transactions.frameOfRequest(frame));
  transactions.nest(original);
  transactions.startInside(engine);
  keepOwnErrors(handler);
  Object.defineProperty(original, MANAGED, { value: source });
  return client;
}

/** The data source that a managed PrismaClient, or one extended from it, belongs to. */
export function prismaSource(client: PrismaClientLike): ManagedSource | undefined {
  return originalOf(client)[MANAGED];
}

/** Extended clients share the engine of the one they were made from, and inherit from it. */
function originalOf(client: Client): Client {
  return client._originalClient ?? client;
}

function findSqlite({ _engineConfig }: PrismaInternals): ManagedPool | undefined {
  const adapter = _engineConfig?.adapter;
  if (adapter?.adapterName !== SQLITE_ADAPTER) return undefined;
  const managed = findManagedSqlite(adapter);
  if (managed?.serving) return managed;
  throw new UnsupportedPrismaClientError(
    `This PrismaClient runs on the adapter ${SQLITE_ADAPTER}, which is not managed: new PrismaClient({ adapter: manageSqliteAdapter(new PrismaBetterSqlite3({ url })) }).`,
    { adapter: adapter.adapterName },
  );
}

function findPool({ _engineConfig, _clientVersion }: PrismaInternals): ManagedPool {
  const adapter = _engineConfig?.adapter;
  if (!adapter) {
    throw new UnsupportedPrismaClientError(
      `This PrismaClient (version ${_clientVersion ?? 'unknown'}) was made without a driver adapter. holdfast needs Prisma 7 and ` +
        'new PrismaClient({ adapter: new PrismaPg(pool) }), with a pool that managePool() manages.',
    );
  }
  if (adapter.adapterName !== undefined && adapter.adapterName !== ADAPTER) {
    throw new UnsupportedPrismaClientError(
      `This PrismaClient runs on the adapter ${adapter.adapterName}. holdfast supports ${ADAPTER}: ` +
        'new PrismaClient({ adapter: new PrismaPg(pool) }), with a pool that managePool() manages.',
      { adapter: adapter.adapterName },
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

/** The parts of Prisma's inside that are changed, when they have the shape that is known. */
function findInside({ _engine, _requestHandler, _clientVersion }: PrismaInternals): {
  engine: PrismaEngine;
  handler: PrismaRequestHandler;
} {
  const { batchBy, singleLoader, batchLoader } = { ..._requestHandler?.dataloader?.options };
  const parts = [
    batchBy,
    singleLoader,
    batchLoader,
    _engine?.transaction,
    _requestHandler?.handleRequestError,
  ];
  if (!parts.every((part) => typeof part === 'function')) {
    throw new UnsupportedPrismaClientError(
      `The inside of this PrismaClient (version ${_clientVersion ?? 'unknown'}) is not what holdfast knows, ` +
        'so calls of two transactions could be answered by one SELECT. holdfast supports Prisma 7.',
    );
  }
  return { engine: _engine as PrismaEngine, handler: _requestHandler as PrismaRequestHandler };
}

/** Prisma puts every error with a code into one of its own classes, without cause; ours say more as they are. */
function keepOwnErrors(handler: PrismaRequestHandler): void {
  const original = handler.handleRequestError.bind(handler);
  handler.handleRequestError = (failure) => {
    if (failure.error instanceof HoldfastError) throw failure.error;
    return original(failure);
  };
}
