import 'reflect-metadata';
import type { Pool, PoolConfig, QueryResultRow } from 'pg';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { EntityManager, QueryRunner } from 'typeorm';
import { managePool, runInTransaction, Transactional, unmanagePool } from 'holdfast';
import type { TransactionOptions } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import type { TestDatabase } from '../harness/database.js';
import type { PrismaClient } from '../prisma/generated/client.js';
import { startPrisma, throughPrisma } from './through-prisma.js';

@Entity('entry')
export class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
}

/** Something that was taken at one time (a client, a manager, a QueryRunner) and is used at another. */
export interface Captured {
  insert(label: string): Promise<void>;
  query<Row extends QueryResultRow = QueryResultRow>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** Gives it back, where it has to be. */
  release(): Promise<void>;
}

/** Work done through one way in. Each call asks its pool or ORM anew, as application code does. */
export interface Work extends Omit<Captured, 'release'> {
  /** The managed pool underneath. */
  readonly pool: Pool;
  /** TypeORM's DataSource, for its ways in. */
  readonly dataSource: DataSource | undefined;
  /** The PrismaClient, for Prisma's way in. */
  readonly prisma?: PrismaClient;
  /** Inserts NULL for a label: rejects with SQLSTATE 23502, inside the way's own wrapping of it. */
  fail(): Promise<void>;
  /** What this way sees, in order of insertion. */
  labels(): Promise<string[]>;
  /** `pg_current_xact_id()` */
  txid(): Promise<string>;
  /** `pg_backend_pid()` */
  pid(): Promise<number>;
  capture(): Promise<Captured>;
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

type Borrow = () => Promise<Captured>;

interface Source {
  readonly pool: Pool;
  readonly dataSource: DataSource | undefined;
  readonly prisma?: PrismaClient;
}

function workThrough(source: Source, borrow: Borrow): Work {
  const once = async <T>(use: (handle: Captured) => Promise<T>): Promise<T> => {
    const handle = await borrow();
    try {
      return await use(handle);
    } finally {
      await handle.release();
    }
  };
  const query = <Row extends QueryResultRow>(sql: string, params?: unknown[]): Promise<Row[]> =>
    once((handle) => handle.query<Row>(sql, params));
  return {
    ...source,
    capture: borrow,
    insert: (label) => once((handle) => handle.insert(label)),
    fail: () => once((handle) => handle.insert(null as unknown as string)),
    query,
    async labels() {
      const rows = await query<{ label: string }>('SELECT label FROM entry ORDER BY id');
      return rows.map(({ label }) => label);
    },
    async txid() {
      const [row] = await query<{ id: string }>('SELECT pg_current_xact_id()::text AS id');
      return row!.id;
    },
    async pid() {
      const [row] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
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

const throughManager = (
  manager: Pick<EntityManager, 'insert' | 'query'>,
  release: () => Promise<void> = async () => undefined,
): Captured => ({
  async insert(label) {
    await manager.insert(Entry, { label });
  },
  query: (sql, params) => manager.query(sql, params),
  release,
});

const throughQueryRunner = (runner: QueryRunner): Captured =>
  throughManager(runner.manager, () => runner.release());

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
  name,
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
  typeormWay('TypeORM repository', (dataSource) => {
    const repository = dataSource.getRepository(Entry);
    return async () => ({
      async insert(label) {
        await repository.save({ label });
      },
      query: (sql, params) => repository.query(sql, params),
      release: async () => undefined,
    });
  }),
  typeormWay('TypeORM EntityManager', (dataSource) => {
    const { manager } = dataSource;
    return async () => throughManager(manager);
  }),
  typeormWay('TypeORM createQueryRunner()', (dataSource) => async () => {
    const runner = dataSource.createQueryRunner();
    await runner.connect();
    return throughQueryRunner(runner);
  }),
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
