export { asMariadbPool } from './as-mariadb-pool.js';
export { managePrisma, prismaSource } from './manage-prisma.js';
export type { ManagePrismaOptions } from './manage-prisma.js';
export { UnsupportedPrismaClientError } from './errors.js';
export type { PrismaClientLike } from './prisma-types.js';
export { manageSqliteAdapter } from './manage-sqlite-adapter.js';
export type { ManageSqliteAdapterOptions, SqliteAdapterFactoryLike } from './manage-sqlite-adapter.js';
export { watchPrisma } from './watch-prisma.js';
