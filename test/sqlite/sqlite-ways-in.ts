import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import Database from 'better-sqlite3';
import { DataSource, type DataSourceOptions, type MixedList } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { type ManagedPool, unmanagePool } from 'holdfast';
import {
  type ManageSqliteAdapterOptions,
  managePrisma,
  manageSqliteAdapter,
  prismaSource,
} from 'holdfast/prisma';
import { expectNoOpenTransactions } from 'holdfast/testing';
import { manageDataSource } from 'holdfast/typeorm';
import { Entry, openings, type Opening } from '../conformance/ways-in.js';
import { useBetterSqlite3 } from '../harness/better-sqlite3.js';
import { PrismaClient } from './prisma/generated/client.js';

export type SqliteType = 'better-sqlite3' | 'sqljs';
export const sqliteTypes: readonly SqliteType[] = ['better-sqlite3', 'sqljs'];

export const sqliteSchema: readonly string[] = [
  'CREATE TABLE account (id integer PRIMARY KEY, owner text NOT NULL UNIQUE, balance integer NOT NULL DEFAULT 0)',
  'CREATE TABLE entry (id integer PRIMARY KEY AUTOINCREMENT, label text NOT NULL)',
  'CREATE TABLE parent (id integer PRIMARY KEY)',
  'CREATE TABLE child (id integer PRIMARY KEY, parent_id integer NOT NULL REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)',
  'CREATE TABLE once (id integer PRIMARY KEY ON CONFLICT ROLLBACK)',
];

export interface SqliteSource {
  readonly dataSource: DataSource;
  readonly managed: ManagedPool;
  /** Another connection to the same file; sql.js has its database to itself. */
  readonly other: Database.Database | undefined;
  readonly prisma?: PrismaClient;
}

interface SourceOptions {
  /** The data source's name. Default: `default`. */
  readonly name?: string;
  readonly entities?: MixedList<Function>;
  readonly subscribers?: MixedList<Function>;
  readonly schema?: readonly string[];
  readonly wal?: boolean;
  readonly acquireTimeoutMs?: number;
}

/** Waits for no disk. */
const prepareDatabase = (database: Database.Database): void => void database.pragma('synchronous = OFF');

async function makeTables(dataSource: DataSource, schema: readonly string[]): Promise<void> {
  await dataSource.query('PRAGMA foreign_keys = OFF');
  const tables: { name: string }[] = await dataSource.query(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  );
  for (const { name } of tables) await dataSource.query(`DROP TABLE ${name}`);
  await dataSource.query('PRAGMA foreign_keys = ON');
  for (const statement of schema) await dataSource.query(statement);
}

/** A managed data source on a database of its own, with new tables for each test. After it nothing may be lent or open. */
export function useSqlite(type: SqliteType, options: SourceOptions = {}): SqliteSource {
  const {
    entities = [Entry],
    subscribers = [],
    schema = sqliteSchema,
    wal = false,
    name,
    acquireTimeoutMs,
  } = options;
  let current: SqliteSource | undefined;
  let folder: string;
  if (type === 'better-sqlite3') useBetterSqlite3();
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
    const database = join(folder, 'test.db');
    const own: DataSourceOptions =
      type === 'sqljs'
        ? { type, entities, subscribers }
        : { type, database, entities, subscribers, enableWAL: wal, timeout: 50, prepareDatabase };
    const dataSource = new DataSource(own);
    await dataSource.initialize();
    const other = type === 'sqljs' ? undefined : new Database(database, { timeout: 50 });
    current = {
      dataSource,
      managed: manageDataSource(dataSource, {
        ...(name && { name }),
        ...(acquireTimeoutMs && { acquireTimeoutMs }),
      }).primary,
      other,
    };
  });
  beforeEach(() => makeTables(current!.dataSource, schema));
  afterEach(() => expectCleanDatabase(current!));
  afterAll(async () => {
    current!.other?.close();
    await current!.dataSource.destroy();
    rmSync(folder, { recursive: true });
  });
  return new Proxy({} as SqliteSource, { get: (_, key) => Reflect.get(current!, key) as unknown });
}

/** A managed PrismaClient on a database of its own, with new tables for each test. After it nothing may be lent or open. */
export function usePrismaSqlite(
  options: ManageSqliteAdapterOptions = {},
): SqliteSource & { prisma: PrismaClient } {
  let folder: string;
  let current:
    (Omit<SqliteSource, 'dataSource'> & { prisma: PrismaClient; other: Database.Database }) | undefined;
  useBetterSqlite3();
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
    const file = join(folder, 'test.db');
    const factory = new PrismaBetterSqlite3({ url: `file:${file}`, timeout: 50 });
    const prisma = managePrisma(new PrismaClient({ adapter: manageSqliteAdapter(factory, options) }));
    const other = new Database(file, { timeout: 50 });
    other.pragma('journal_mode = WAL');
    current = { managed: prismaSource(prisma)!.primary, prisma, other };
  });
  beforeEach(() => {
    const { other } = current!;
    const tables = other
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .pluck()
      .all();
    other.pragma('foreign_keys = OFF');
    other.exec(tables.map((name) => `DROP TABLE ${String(name)};`).join('') + sqliteSchema.join(';'));
  });
  afterEach(() => expectNothingOpen(current!.managed));
  afterAll(async () => {
    current!.other.close();
    await current!.prisma.$disconnect();
    unmanagePool(current!.managed);
    rmSync(folder, { recursive: true });
  });
  return new Proxy({} as SqliteSource & { prisma: PrismaClient }, {
    get: (_, key) => Reflect.get(current!, key) as unknown,
  });
}

/** Work through one way in. */
export interface SqliteWork {
  insert(label: string): Promise<void>;
  query<Row = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<Row[]>;
}

export interface SqliteWayIn {
  readonly name: string;
  work(source: SqliteSource): SqliteWork;
}

const throughManager = (manager: EntityManager): SqliteWork => ({
  async insert(label) {
    await manager.insert(Entry, { label });
  },
  query: (sql, params) => manager.query(sql, params),
});

export const sqliteWaysIn: readonly SqliteWayIn[] = [
  {
    name: 'repository',
    work({ dataSource }) {
      const repository = dataSource.getRepository(Entry);
      return {
        async insert(label) {
          await repository.save({ label });
        },
        query: (sql, params) => repository.query(sql, params),
      };
    },
  },
  { name: 'EntityManager', work: ({ dataSource }) => throughManager(dataSource.manager) },
  {
    name: 'createQueryRunner()',
    work({ dataSource }) {
      const once = async <T>(use: (work: SqliteWork) => Promise<T>): Promise<T> => {
        const runner = dataSource.createQueryRunner();
        try {
          return await use(throughManager(runner.manager));
        } finally {
          await runner.release();
        }
      };
      return {
        insert: (label) => once((work) => work.insert(label)),
        query: (sql, params) => once((work) => work.query(sql, params)),
      };
    },
  },
  {
    name: 'dataSource.query()',
    work: ({ dataSource }) => ({
      async insert(label) {
        await dataSource.query('INSERT INTO entry (label) VALUES (?)', [label]);
      },
      query: (sql, params) => dataSource.query(sql, params),
    }),
  },
];

const prismaWay: SqliteWayIn = {
  name: 'Prisma client',
  work: ({ prisma }) => ({
    async insert(label) {
      await prisma!.entry.create({ data: { label } });
    },
    async query<Row>(sql: string, params: unknown[] = []) {
      return prisma!.$queryRawUnsafe<Row[]>(sql, ...params);
    },
  }),
};

/** A row of a grid: `describe.each(everySqliteWay)('$name', ({ useSource, way, opening }) => …)`. */
interface SqliteCell {
  readonly name: string;
  readonly useSource: () => SqliteSource;
  readonly way: SqliteWayIn;
  readonly opening: Opening;
}

export const everyTypeormWay: readonly SqliteCell[] = sqliteTypes.flatMap((type) =>
  sqliteWaysIn.flatMap((way) =>
    openings.map((opening) => ({
      name: `${type}: ${way.name} in ${opening.name}`,
      useSource: () => useSqlite(type),
      way,
      opening,
    })),
  ),
);

export const everySqliteWay: readonly SqliteCell[] = [
  ...everyTypeormWay,
  ...openings.map((opening) => ({
    name: `Prisma client in ${opening.name}`,
    useSource: () => usePrismaSqlite(),
    way: prismaWay,
    opening,
  })),
];

/** The labels of `entry` as another connection sees them, in order of insertion; with sql.js as anybody outside does. */
export async function labelsOf({ dataSource, other }: SqliteSource): Promise<string[]> {
  const sql = 'SELECT label FROM entry ORDER BY id';
  const rows = (other ? other.prepare(sql).all() : await dataSource.query(sql)) as { label: string }[];
  return rows.map(({ label }) => label);
}

/** What a reviewer would look at after any transaction: nothing lent, nothing open. */
async function expectCleanDatabase({ dataSource }: SqliteSource): Promise<void> {
  // The pool of the running connection: a test may have initialised the data source again.
  const { primary: managed } = manageDataSource(dataSource);
  expectNothingOpen(managed);
  // Refused while a transaction is open.
  (managed.native as { exec(text: string): void }).exec('BEGIN; ROLLBACK');
  expect(await dataSource.query('PRAGMA query_only')).toEqual([{ query_only: 0 }]);
}

function expectNothingOpen(managed: ManagedPool): void {
  expectNoOpenTransactions();
  expect(managed.leases()).toEqual([]);
  expect(managed.counts()).toMatchObject({ inUse: 0, pending: 0 });
}
