import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as mariadb from 'mariadb';
import type { DataSource } from 'typeorm';
import type { ManagedPool } from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import type { MysqlDatabase } from '../harness/mysql-database.js';
import { mysqlSchema } from '../harness/schema.js';
import type { PrismaClient } from '../prisma/mysql/generated/client.js';
import { type Borrow, type Captured, type CommonWork, typeormBorrowers, workOf } from './captured.js';
import {
  type MysqlSource,
  type MysqlWorkOptions,
  startMariadbPool,
  startMysqlDataSource,
  startMysqlPool,
  startMysqlPrisma,
  startPrismaOnMysql2,
} from './mysql-pools.js';
import { until } from './observing.js';
import { openings, type Opening } from './ways-in.js';

/** The harness's tables; an insert of a label that begins with `slow` waits at the gate, whichever way it came. */
export const mysqlConformanceSchema: readonly string[] = [
  ...mysqlSchema,
  'CREATE TABLE gate (id int PRIMARY KEY)',
  'INSERT INTO gate VALUES (1)',
  `CREATE TRIGGER entry_gate BEFORE INSERT ON entry FOR EACH ROW
     IF NEW.label LIKE 'slow%' THEN SET @gate = (SELECT id FROM gate WHERE id = 1 LOCK IN SHARE MODE); END IF`,
];

/** Work done through one way in. Each call asks its pool or ORM anew, as application code does. */
export interface MysqlWork extends CommonWork {
  readonly managed: ManagedPool;
  readonly dataSource: DataSource | undefined;
  connectionId(): Promise<number>;
}

export interface MysqlWayIn {
  readonly name: string;
  readonly orm: 'none' | 'typeorm' | 'prisma';
  readonly driver: 'mysql2' | 'mariadb';
  start(db: MysqlDatabase, options?: MysqlWorkOptions): Promise<MysqlWork>;
}

function workThrough({ managed, dataSource }: MysqlSource, borrow: Borrow): MysqlWork {
  const work = workOf(borrow);
  return {
    managed,
    dataSource,
    ...work,
    async connectionId() {
      const [row] = await work.query<{ id: number }>('SELECT connection_id() AS id');
      return Number(row!.id);
    },
  };
}

type Send = (sql: string, params: unknown[]) => Promise<unknown>;

const through = (send: Send, release: () => void = () => undefined): Captured => ({
  async insert(label) {
    await send('INSERT INTO entry (label) VALUES (?)', [label]);
  },
  query: async <Row>(sql: string, params: unknown[] = []) => (await send(sql, params)) as Row[],
  release: async () => release(),
});

const poolWay = (name: string, borrow: (pools: ReturnType<typeof startMysqlPool>) => Promise<Captured>) =>
  ({
    name,
    orm: 'none',
    driver: 'mysql2',
    async start(db, options) {
      const pools = startMysqlPool(db, options);
      return workThrough(pools, () => borrow(pools));
    },
  }) satisfies MysqlWayIn;

const typeormWay = (
  name: string,
  type: 'mysql' | 'mariadb',
  borrower: (dataSource: DataSource) => Borrow,
): MysqlWayIn => ({
  name: `TypeORM (${type}) ${name}`,
  orm: 'typeorm',
  driver: 'mysql2',
  async start(db, options) {
    const source = await startMysqlDataSource(db, type, options);
    return workThrough(source, borrower(source.dataSource));
  },
});

/** Nothing is taken: a PrismaClient asks its pool for each call. */
const throughMysqlPrisma = (prisma: PrismaClient): Captured => ({
  async insert(label) {
    await prisma.entry.create({ data: { label } });
  },
  query: <Row>(sql: string, params: unknown[] = []) => prisma.$queryRawUnsafe<Row[]>(sql, ...params),
  release: async () => undefined,
});

const mariadbWay = (name: string, borrow: (pool: mariadb.Pool) => Promise<Captured>): MysqlWayIn => ({
  name: `mariadb ${name}`,
  orm: 'none',
  driver: 'mariadb',
  async start(db, options) {
    const source = startMariadbPool(db, options);
    return workThrough(source, () => borrow(source.pool));
  },
});

const prismaOnMysql2Way: MysqlWayIn = {
  name: 'Prisma on the mysql2 pool of TypeORM',
  orm: 'prisma',
  driver: 'mysql2',
  async start(db, options) {
    const { managed, prisma } = await startPrismaOnMysql2(db, options);
    return workThrough({ managed }, async () => throughMysqlPrisma(prisma));
  },
};

/** A managed PrismaClient on a managed pool of the mariadb connector. */
const prismaWay: MysqlWayIn = {
  name: 'Prisma on a mariadb pool',
  orm: 'prisma',
  driver: 'mariadb',
  async start(db, options) {
    const { managed, prisma } = startMysqlPrisma(db, options);
    return workThrough({ managed }, async () => throughMysqlPrisma(prisma));
  },
};

export const mysqlWaysIn: readonly MysqlWayIn[] = [
  mariadbWay('pool.query()', async (pool) => through((sql, params) => pool.query(sql, params))),
  mariadbWay('pool.execute()', async (pool) => through((sql, params) => pool.execute(sql, params))),
  mariadbWay('pool.getConnection()', async (pool) => {
    const connection = await pool.getConnection();
    return through(
      (sql, params) => connection.query(sql, params),
      () => void connection.release(),
    );
  }),
  poolWay('mysql2 pool.query()', async ({ pool }) =>
    through(async (sql, params) => (await pool.query(sql, params))[0]),
  ),
  poolWay('mysql2 pool.execute()', async ({ pool }) =>
    through(async (sql, params) => (await pool.execute(sql, params as string[]))[0]),
  ),
  poolWay('mysql2 pool.query(callback)', async ({ callbackPool }) =>
    through(
      (sql, params) =>
        new Promise((resolve, reject) =>
          callbackPool.query(sql, params, (error, rows) => (error ? reject(error) : resolve(rows))),
        ),
    ),
  ),
  poolWay('mysql2 pool.getConnection()', async ({ pool }) => {
    const connection = await pool.getConnection();
    return through(
      async (sql, params) => (await connection.query(sql, params))[0],
      () => connection.release(),
    );
  }),
  ...Object.entries(typeormBorrowers).map(([name, borrower]) =>
    typeormWay(name, name === 'repository' ? 'mariadb' : 'mysql', borrower),
  ),
  prismaWay,
  prismaOnMysql2Way,
];

/** A row of a grid: `describe.each(everyMysqlWay)('$name', ({ way, opening }) => …)`. */
export const everyMysqlWay: readonly { name: string; way: MysqlWayIn; opening: Opening }[] =
  mysqlWaysIn.flatMap((way) =>
    openings.map((opening) => ({ name: `${way.name} in ${opening.name}`, way, opening })),
  );

/** One managed pool per test, made in beforeEach; `work` and its methods are those of the running test. */
export function useMysqlWork(db: MysqlDatabase, way: MysqlWayIn, options?: MysqlWorkOptions): MysqlWork {
  let current: MysqlWork | undefined;
  beforeEach(async () => {
    await db.query('DELETE FROM entry');
    await db.query('DELETE FROM account');
    current = await way.start(db, options);
  });
  return new Proxy({} as MysqlWork, { get: (_, key) => Reflect.get(current!, key) as unknown });
}

/** The committed labels of `entry`, in order of insertion, as the independent observer sees them. */
export async function mysqlLabelsIn(db: MysqlDatabase): Promise<string[]> {
  const rows = await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id');
  return rows.map(({ label }) => label);
}

/** The server's errors that tests look for: Prisma tells their numbers only. */
const errorNumbers = {
  ER_BAD_NULL_ERROR: '1048',
  ER_PARSE_ERROR: '1064',
  ER_LOCK_DEADLOCK: '1213',
  ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: '1792',
};

interface WrappedError {
  readonly code?: string;
  readonly driverError?: { readonly code?: string };
  readonly meta?: { readonly driverAdapterError?: { readonly cause: { readonly originalCode?: string } } };
}

/** Matches the server's error of this name, as a driver throws it, or as TypeORM or Prisma wraps it. */
export function mysqlError(code: keyof typeof errorNumbers): object {
  const isOf = ({ code: own, driverError, meta }: WrappedError): boolean =>
    own === code ||
    driverError?.code === code ||
    meta?.driverAdapterError?.cause.originalCode === errorNumbers[code];
  return {
    $$typeof: Symbol.for('jest.asymmetricMatcher'),
    asymmetricMatch: (error: unknown) => error instanceof Error && isOf(error as WrappedError),
    toString: () => `MySQL error ${code}`,
    toAsymmetricMatcher: () => `MySQL error ${code}`,
  };
}

/** Holds every insert of a label that begins with `slow`, until it is opened. It opens by itself after the test. */
export async function closeMysqlGate(db: MysqlDatabase): Promise<{
  waiting(count?: number): Promise<void>;
  open(): Promise<void>;
}> {
  const connection = await db.connection();
  await connection.beginTransaction();
  await connection.query('SELECT id FROM gate WHERE id = 1 FOR UPDATE');
  return {
    waiting: (count = 1) =>
      until(`${count} session(s) at the gate`, async () => {
        const [row] = await db.query<{ waiting: number }>(
          "SELECT count(*) AS waiting FROM information_schema.processlist WHERE db = database() AND info LIKE '%gate%LOCK IN SHARE MODE%' AND id <> connection_id()",
        );
        return Number(row!.waiting) >= count;
      }),
    async open() {
      await connection.rollback();
    },
  };
}

/** What a reviewer would look at after any transaction: nothing lent, nothing open, whoever borrows next. */
export async function expectCleanMysqlPool({ managed }: MysqlWork, db: MysqlDatabase): Promise<void> {
  expectNoOpenTransactions();
  await until('an idle pool', () => {
    const { inUse, pending } = managed.counts();
    return inUse === 0 && pending === 0;
  });
  expect(managed.leases()).toEqual([]);
  const open = (await db.sessions()).filter(({ inTransaction }) => inTransaction);
  if (open.length > 0) {
    await until('no session in a transaction', async () => {
      // The list of transactions is a copy, which is renewed only once nobody has read it for a tenth of a second.
      await sleep(110);
      return (await db.sessions()).every(({ inTransaction }) => !inTransaction);
    });
  }
}
