import {
  HoldfastError,
  invalid,
  InvalidOptionsError,
  optional,
  readOptions,
  readString,
} from '../core/index.js';
import type { ManagedSource } from '../connection/index.js';
import { findSource } from './adapters.js';
import { UnsupportedPrismaClientError } from './errors.js';
import { OwnTransactions } from './own-transactions.js';
import type {
  PrismaClientLike,
  PrismaEngine,
  PrismaInternals,
  PrismaRequestHandler,
} from './prisma-types.js';
import { separateBatches } from './separate-batches.js';

/** All that a client asks its engine for. */
const ENGINE_CALLS = ['start', 'request', 'requestBatch', 'transaction'] as const;
const MANAGED = Symbol.for('holdfast.managed-prisma/1');

type Client = PrismaClientLike & PrismaInternals & { [MANAGED]?: ManagedSource };

/** Options of {@link managePrisma}. */
export interface ManagePrismaOptions {
  /**
   * The name of the data source whose pool the client's adapter was given. Default: the one that the adapter tells
   * (`@prisma/adapter-pg`), or `default` (`@prisma/adapter-mariadb`, which keeps its pool to itself).
   */
  readonly dataSource?: string;
}

interface ParsedOptions {
  readonly dataSource: string | undefined;
}

/**
 * Lets a PrismaClient take part in holdfast's transactions. The client must have been made with `new PrismaPg(pool)` or
 * `new PrismaMariaDb(pool)` on a pool that `managePool` manages, or with an adapter of `manageSqliteAdapter`. Inside a
 * transaction its model calls, raw
 * queries and extended clients run on the transaction's connection; its own `$transaction` becomes a nested
 * scope whose `timeout` and `maxWait` do not count. Outside, Prisma behaves as before. Idempotent; only this
 * client and those extended from it, before or after, are changed. Answers the client it was given.
 *
 * Throws {@link UnsupportedPrismaClientError} for a client on a pool of its own, on a pool of a second copy of
 * `pg`, on an unmanaged pool, on another adapter, of another version than 7, and for the client of an interactive
 * transaction. What the adapter for MariaDB tells only once it connects is refused by the client's first call instead,
 * before anything of it is sent. Throws `InvalidOptionsError` for what is no object, and for another `dataSource` than the
 * client belongs to.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * managePool(pool);
 * const prisma = managePrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
 * ```
 */
export function managePrisma<C extends PrismaClientLike>(client: C, options?: ManagePrismaOptions): C {
  const { dataSource } = readOptions<ParsedOptions>(
    options,
    { dataSource: optional(readString) },
    'managePrisma options',
  );
  const original = originalOf(client, 'managePrisma(client)');
  if (typeof client.$disconnect !== 'function' && typeof original.$disconnect === 'function') {
    throw new UnsupportedPrismaClientError(
      'managePrisma(client) was given the client of an interactive transaction. Pass the PrismaClient itself, once, where it is made: managePrisma(prisma).',
    );
  }
  const source = original[MANAGED] ?? manage(original, dataSource);
  if (dataSource !== undefined && dataSource !== source.name) {
    throw new InvalidOptionsError(
      `managePrisma options.dataSource is "${dataSource.slice(0, 100)}", and this PrismaClient belongs to "${source.name}". Give its own, or leave it out.`,
    );
  }
  return client;
}

function manage(client: Client, dataSource: string | undefined): ManagedSource {
  const { source, check } = findSource(client, dataSource);
  const { engine, handler } = findInside(client);
  const transactions = new OwnTransactions(source);
  separateBatches(handler.dataloader.options, source, (frame) => transactions.frameOfRequest(frame));
  transactions.nest(client);
  transactions.startInside(engine);
  if (check) checkFirst(engine, check);
  keepOwnErrors(handler);
  Object.defineProperty(client, MANAGED, { value: source });
  return source;
}

/**
 * The data source that a managed PrismaClient, or one extended from it, belongs to; `undefined` for one that is not managed.
 * Throws `InvalidOptionsError` for what is no object.
 *
 * @example
 * ```ts
 * const inUse = prismaSource(prisma)?.primary.counts().inUse;
 * ```
 */
export function prismaSource(client: PrismaClientLike): ManagedSource | undefined {
  return originalOf(client, 'prismaSource(client)')[MANAGED];
}

/** Extended clients share the engine of the one they were made from, and inherit from it. */
function originalOf(client: unknown, path: string): Client {
  if (typeof client !== 'object' || client === null) throw invalid(path, client, 'a PrismaClient');
  return (client as Client)._originalClient ?? (client as Client);
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
    ...ENGINE_CALLS.map((name) => _engine?.[name]),
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

/** Whatever is asked of the engine waits for the check, and fails with it. */
function checkFirst(engine: PrismaEngine, check: () => Promise<void>): void {
  let checked: Promise<void> | undefined;
  for (const name of ENGINE_CALLS) {
    const original = engine[name].bind(engine) as (...args: unknown[]) => Promise<unknown>;
    engine[name] = async (...args: unknown[]) => {
      await (checked ??= check());
      return original(...args);
    };
  }
}

/** Prisma puts every error with a code into one of its own classes, without cause; ours say more as they are. */
function keepOwnErrors(handler: PrismaRequestHandler): void {
  const original = handler.handleRequestError.bind(handler);
  handler.handleRequestError = (failure) => {
    if (failure.error instanceof HoldfastError) throw failure.error;
    return original(failure);
  };
}
