import {
  currentFrame,
  DEFAULT_SOURCE,
  findManagedPool,
  findManagedSqlite,
  isMysql2Pool,
  type ManagedSource,
  registeredSource,
  runInFrame,
} from '../connection/index.js';
import { poolBehind } from './as-mariadb-pool.js';
import { UnsupportedPrismaClientError } from './errors.js';
import { SQLITE_ADAPTER } from './manage-sqlite-adapter.js';
import type { PrismaAdapterFactory, PrismaInternals } from './prisma-types.js';

/** The data source that a PrismaClient belongs to. */
export interface FoundSource {
  readonly source: ManagedSource;
  /** To be awaited before anything is sent: rejects where the adapter, once it connects, turns out to run elsewhere. */
  readonly check?: () => Promise<void>;
}

const PG = '@prisma/adapter-pg';
const MARIADB = '@prisma/adapter-mariadb';

/** How the data source is found behind each driver adapter that holdfast supports. */
const ADAPTERS: Readonly<
  Record<string, (adapter: PrismaAdapterFactory, dataSource: string | undefined) => FoundSource>
> = {
  [PG]: behindPg,
  [MARIADB]: behindMariadb,
  [SQLITE_ADAPTER]: behindSqlite,
};

const HOW =
  'new PrismaClient({ adapter: new PrismaPg(pool) }) or { adapter: new PrismaMariaDb(pool) }, with a pool that managePool() manages, or { adapter: manageSqliteAdapter(new PrismaBetterSqlite3({ url })) }.';

/** Throws {@link UnsupportedPrismaClientError} for a client that is not on a managed pool. */
export function findSource(
  { _engineConfig, _clientVersion }: PrismaInternals,
  dataSource: string | undefined,
): FoundSource {
  const adapter = _engineConfig?.adapter;
  const { adapterName = PG } = adapter ?? {};
  const find = Object.hasOwn(ADAPTERS, adapterName) ? ADAPTERS[adapterName] : undefined;
  if (!find) {
    throw new UnsupportedPrismaClientError(
      `This PrismaClient runs on the adapter ${adapterName}. holdfast supports ${Object.keys(ADAPTERS).join(', ')}: ${HOW}`,
      { adapter: adapterName },
    );
  }
  if (!_clientVersion?.startsWith('7.')) {
    throw new UnsupportedPrismaClientError(
      `This PrismaClient is of version ${_clientVersion ?? 'unknown'}, whose engine may run statements outside the transaction. holdfast needs Prisma 7: ` +
        `npm install prisma@7 @prisma/client@7, with the adapter of the same version, then ${HOW}`,
    );
  }
  if (!adapter) {
    throw new UnsupportedPrismaClientError(
      `This PrismaClient was made without a driver adapter. holdfast needs ${HOW}`,
    );
  }
  return find(adapter, dataSource);
}

/** Its factory says which pool it was given. */
function behindPg({ externalPool }: PrismaAdapterFactory): FoundSource {
  if (!externalPool) {
    throw new UnsupportedPrismaClientError(
      'This PrismaClient runs on a pool of its own. Give its adapter the managed pool: new PrismaPg(pool). If you do, then that pool comes ' +
        "from a second copy of pg, which the adapter takes for options: make both resolve to one copy (npm ls pg), or import Pool from the adapter's.",
    );
  }
  const managed = findManagedPool(externalPool);
  if (managed?.serving) return { source: managed.source };
  throw new UnsupportedPrismaClientError(
    'The pool that this PrismaClient runs on is not managed. Call managePool(pool) before managePrisma(prisma).',
  );
}

/** Its factory keeps the pool to itself; the adapter that it makes when Prisma connects does not. */
function behindMariadb(adapter: PrismaAdapterFactory, dataSource: string = DEFAULT_SOURCE): FoundSource {
  const source = registeredSource(dataSource);
  if (source?.primary.dialect.name !== 'mysql') {
    throw new UnsupportedPrismaClientError(
      `${source ? `Data source "${source.name}" is no MySQL or MariaDB` : `No pool is managed as "${dataSource.slice(0, 100)}"`}, so this PrismaClient, which runs on ${MARIADB}, ` +
        "cannot take part in its transactions. Call managePool(pool) before managePrisma(prisma), or name the client's own: managePrisma(prisma, { dataSource: '…' }).",
      { adapter: MARIADB },
    );
  }
  return {
    source,
    // Not at once, and not by Prisma's own call of connect(): the client may be connected already, or never.
    async check() {
      const connect = adapter.connect.bind(adapter);
      // The adapter asks for the server's version, and would keep it to itself if that failed: no part of a transaction.
      const made = await runInFrame({ parent: currentFrame(), source, scope: undefined }, connect);
      const pool = made.underlyingDriver?.();
      if (pool && !isMysql2Pool(pool) && findManagedPool(poolBehind(pool))?.source === source) {
        // For Prisma to take: an adapter that ends its pool may connect only once.
        adapter.connect = () => {
          adapter.connect = connect;
          return Promise.resolve(made);
        };
        return;
      }
      await made.dispose();
      if (isMysql2Pool(pool)) {
        throw new UnsupportedPrismaClientError(
          'This PrismaClient runs on a pool of mysql2, whose answers the adapter cannot read, so nothing was sent. Wrap it: new PrismaMariaDb(asMariadbPool(pool)), with asMariadbPool of holdfast/prisma.',
        );
      }
      throw new UnsupportedPrismaClientError(
        `This PrismaClient does not run on the pool of data source "${source.name}", so nothing was sent. Give its adapter the managed pool, ` +
          "new PrismaMariaDb(pool), or name the data source that its pool is managed as: managePrisma(prisma, { dataSource: '…' }).",
      );
    },
  };
}

/** It has no pool: the factory itself is managed. */
function behindSqlite(adapter: PrismaAdapterFactory): FoundSource {
  const managed = findManagedSqlite(adapter);
  if (managed?.serving) return { source: managed.source };
  throw new UnsupportedPrismaClientError(
    `This PrismaClient runs on the adapter ${SQLITE_ADAPTER}, which is not managed: new PrismaClient({ adapter: manageSqliteAdapter(new PrismaBetterSqlite3({ url })) }).`,
    { adapter: SQLITE_ADAPTER },
  );
}
