import 'reflect-metadata';
import type { Pool, PoolConfig } from 'pg';
import { DataSource } from 'typeorm';
import { managePool, runInTransaction, Transactional, unmanagePool } from 'holdfast';
import type { TransactionOptions } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import type { TestDatabase } from '../harness/database.js';
import type { PrismaClient } from '../prisma/generated/client.js';
import { type Borrow, type Captured, type CommonWork, Entry, typeormBorrowers, workOf } from './captured.js';
import { startPrisma, throughPrisma } from './through-prisma.js';

export { Entry } from './captured.js';
export type { Captured } from './captured.js';

/** Work done through one way in. Each call asks its pool or ORM anew, as application code does. */
export interface Work extends CommonWork {
  /** The managed pool underneath. */
  readonly pool: Pool;
  /** TypeORM's DataSource, for its ways in. */
  readonly dataSource: DataSource | undefined;
  /** The PrismaClient, for Prisma's way in. */
  readonly prisma?: PrismaClient;
  /** `pg_current_xact_id()` */
  txid(): Promise<string>;
  /** `pg_backend_pid()` */
  pid(): Promise<number>;
}

export interface WorkOptions extends PoolConfig {
  /** Where to connect: a proxy's url, for example. Default: the test's database. */
  readonly url?: string;
  /** Default 4. */
  readonly max?: number;
  /** The data source's name. Default: `default`. */
  readonly name?: string;
}

/** A way in: the API by which application code reaches the database. */
export interface WayIn {
  readonly name: string;
  readonly orm: 'none' | 'typeorm' | 'prisma';
  /** Makes a managed pool (or DataSource) that the harness watches and ends after the test. */
  start(db: TestDatabase, options?: WorkOptions): Promise<Work>;
}

/** How a transaction is opened. */
export interface Opening {
  readonly name: string;
  run<T>(work: () => Promise<T>, options?: TransactionOptions): Promise<T>;
}

export const openings: readonly Opening[] = [
  { name: 'runInTransaction()', run: runInTransaction },
  {
    name: '@Transactional()',
    run<T>(work: () => Promise<T>, options?: TransactionOptions): Promise<T> {
      class Service {
        @Transactional(options)
        async handle(): Promise<T> {
          return work();
        }
      }
      return new Service().handle();
    },
  },
];

interface Source {
  readonly pool: Pool;
  readonly dataSource: DataSource | undefined;
  readonly prisma?: PrismaClient;
}

function workThrough(source: Source, borrow: Borrow): Work {
  const work = workOf(borrow);
  return {
    ...source,
    ...work,
    async txid() {
      const [row] = await work.query<{ id: string }>('SELECT pg_current_xact_id()::text AS id');
      return row!.id;
    },
    async pid() {
      const [row] = await work.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      return row!.pid;
    },
  };
}

interface PgQueryable {
  query(sql: string, params?: unknown[]): Promise<{ rows: unknown[] }>;
}

const throughPg = (target: PgQueryable, release: () => void = () => undefined): Captured => ({
  async insert(label) {
    await target.query('INSERT INTO entry (label) VALUES ($1)', [label]);
  },
  async query<Row>(sql: string, params?: unknown[]) {
    return (await target.query(sql, params)).rows as Row[];
  },
  release: async () => release(),
});

function startPool(db: TestDatabase, { url, name, ...config }: WorkOptions = {}): Source {
  const pool = db.pool({ max: 4, ...config, connectionString: url ?? db.url });
  pool.on('error', () => undefined);
  const managed = managePool(pool, name === undefined ? {} : { name });
  db.defer(() => unmanagePool(managed));
  return { pool, dataSource: undefined };
}

async function startDataSource(
  db: TestDatabase,
  { url, name, max = 4, ...extra }: WorkOptions = {},
): Promise<Source & { dataSource: DataSource }> {
  const dataSource = new DataSource({
    type: 'postgres',
    url: url ?? db.url,
    entities: [Entry],
    poolSize: max,
    extra,
  });
  await dataSource.initialize();
  const pool = (dataSource.driver as unknown as { master: Pool }).master;
  db.track(pool);
  const source = manageDataSource(dataSource, name === undefined ? {} : { name });
  db.defer(() => unmanagePool(source.primary));
  return { pool, dataSource };
}

const pgWay = (name: string, borrow: (pool: Pool) => Promise<Captured>): WayIn => ({
  name,
  orm: 'none',
  async start(db, options) {
    const source = startPool(db, options);
    return workThrough(source, () => borrow(source.pool));
  },
});

const typeormWay = (name: string, borrower: (dataSource: DataSource) => Borrow): WayIn => ({
  name: `TypeORM ${name}`,
  orm: 'typeorm',
  async start(db, options) {
    const source = await startDataSource(db, options);
    return workThrough(source, borrower(source.dataSource));
  },
});

const prismaWay: WayIn = {
  name: 'Prisma client',
  orm: 'prisma',
  async start(db, options) {
    const source = startPool(db, options);
    const prisma = startPrisma(db, source.pool);
    return workThrough({ ...source, prisma }, async () => throughPrisma(prisma));
  },
};

export const waysIn: readonly WayIn[] = [
  pgWay('pool.query()', async (pool) => throughPg(pool)),
  pgWay('pool.connect()', async (pool) => {
    const client = await pool.connect();
    return throughPg(client, () => client.release());
  }),
  ...Object.entries(typeormBorrowers).map(([name, borrower]) => typeormWay(name, borrower)),
  prismaWay,
];

/** A row of a grid: `describe.each(everyWay)('$name', ({ way, opening }) => …)`. */
export interface Cell {
  readonly name: string;
  readonly way: WayIn;
  readonly opening: Opening;
}

const few = [
  'pool.connect() in runInTransaction()',
  'TypeORM repository in @Transactional()',
  'Prisma client in @Transactional()',
];

const grid: readonly Cell[] = waysIn.flatMap((way) =>
  openings.map((opening) => ({ name: `${way.name} in ${opening.name}`, way, opening })),
);

/**
 * Every way in, opened in every way. A second run with something else exchanged (jest.cls-hooked.config.cjs: the
 * storage of the context) takes one way without an ORM and one with each.
 */
export const everyWay: readonly Cell[] =
  process.env['HOLDFAST_TEST_WAYS'] === 'few' ? grid.filter(({ name }) => few.includes(name)) : grid;

/** One managed pool per test, made in beforeEach; `work.pool` and the methods are those of the running test. */
export function useWork(db: TestDatabase, way: WayIn, options?: WorkOptions): Work {
  let current: Work | undefined;
  beforeEach(async () => {
    await db.truncate();
    current = await way.start(db, options);
  });
  const live = (): Work => {
    if (current === undefined) throw new Error('useWork() works inside tests and hooks only.');
    return current;
  };
  return new Proxy({} as Work, {
    get: (_, key) => {
      const value: unknown = Reflect.get(live(), key);
      return value;
    },
  });
}

export {
  closeGate,
  conformanceSchema,
  expectCleanPool,
  failureOf,
  labelsIn,
  signal,
  until,
  withSqlState,
} from './observing.js';
export type { Gate, Signal } from './observing.js';
