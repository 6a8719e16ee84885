import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import * as mariadb from 'mariadb';
import mysql, { type Pool as CallbackPool } from 'mysql2';
import type { Pool, PoolOptions } from 'mysql2/promise';
import { DataSource } from 'typeorm';
import { type ManagedPool, managePool, unmanagePool } from 'holdfast';
import { asMariadbPool, managePrisma } from 'holdfast/prisma';
import { manageDataSource } from 'holdfast/typeorm';
import type { MysqlDatabase } from '../harness/mysql-database.js';
import { PrismaClient } from '../prisma/mysql/generated/client.js';
import { Entry } from './ways-in.js';

export interface MysqlWorkOptions {
  /** Where to connect: a proxy's url, for example. Default: the test's database. */
  readonly url?: string;
  /** Default 4. */
  readonly max?: number;
  readonly name?: string;
  readonly acquireTimeoutMs?: number;
}

export interface MysqlSource {
  readonly managed: ManagedPool;
  readonly dataSource?: DataSource;
}

/** A pool of mysql2 that is managed, and ended by the harness. */
export function startMysqlPool(
  db: MysqlDatabase,
  { url, max = 4, name, acquireTimeoutMs, ...more }: MysqlWorkOptions & PoolOptions = {},
): { callbackPool: CallbackPool; pool: Pool; managed: ManagedPool } {
  const callbackPool = mysql.createPool({ uri: url ?? db.url, connectionLimit: max, ...more });
  const managed = managePool(callbackPool, {
    ...(name && { name }),
    ...(acquireTimeoutMs && { acquireTimeoutMs }),
  });
  db.defer(() => new Promise<void>((resolve) => callbackPool.end(() => resolve())));
  db.defer(() => unmanagePool(managed));
  return { callbackPool, pool: callbackPool.promise(), managed };
}

export async function startMysqlDataSource(
  db: MysqlDatabase,
  type: 'mysql' | 'mariadb',
  { url, max = 4, name }: MysqlWorkOptions = {},
): Promise<Required<MysqlSource>> {
  const dataSource = new DataSource({ type, url: url ?? db.url, entities: [Entry], poolSize: max });
  await dataSource.initialize();
  const source = manageDataSource(dataSource, name === undefined ? {} : { name });
  db.defer(() => dataSource.destroy());
  return { managed: source.primary, dataSource };
}

/** A pool of the mariadb connector that is managed, and ended by the harness. */
export function startMariadbPool(
  db: MysqlDatabase,
  { url, max = 4, name, acquireTimeoutMs }: MysqlWorkOptions = {},
): { pool: mariadb.Pool; managed: ManagedPool } {
  const { hostname: host, port, username: user, password, pathname } = new URL(url ?? db.url);
  const database = pathname.slice(1);
  const pool = mariadb.createPool({
    host,
    port: Number(port),
    user,
    password,
    database,
    connectionLimit: max,
    minimumIdle: 0,
    // How MySQL 8 logs in without TLS.
    allowPublicKeyRetrieval: true,
    insertIdAsNumber: true,
    bigIntAsNumber: true,
  });
  const managed = managePool(pool, {
    connectionLimit: max,
    ...(name && { name }),
    ...(acquireTimeoutMs && { acquireTimeoutMs }),
  });
  db.defer(() => (pool.closed ? undefined : pool.end()));
  db.defer(() => unmanagePool(managed));
  return { pool, managed };
}

/** A PrismaClient on a managed pool of the mariadb connector; both are ended by the harness. */
export function startMysqlPrisma(
  db: MysqlDatabase,
  options: MysqlWorkOptions = {},
): { pool: mariadb.Pool; managed: ManagedPool; prisma: PrismaClient } {
  const { pool, managed } = startMariadbPool(db, options);
  // The adapter brings a mariadb of its own, whose types are other ones.
  const adapter = new PrismaMariaDb(pool as never);
  const prisma = managePrisma(new PrismaClient({ adapter }), { dataSource: managed.name });
  db.defer(() => prisma.$disconnect());
  return { pool, managed, prisma };
}

/** A managed PrismaClient on the pool that TypeORM made. */
export async function startPrismaOnMysql2(
  db: MysqlDatabase,
  options?: MysqlWorkOptions,
): Promise<Required<MysqlSource> & { prisma: PrismaClient }> {
  const source = await startMysqlDataSource(db, 'mysql', options);
  const adapter = new PrismaMariaDb(asMariadbPool(source.managed.native));
  const prisma = managePrisma(new PrismaClient({ adapter }), { dataSource: source.managed.name });
  db.defer(() => prisma.$disconnect());
  return { ...source, prisma };
}
