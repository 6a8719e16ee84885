import type { DataSource } from 'typeorm';
import type { ManageablePool } from '../connection/index.js';
import type { MysqlDriverLike, PostgresDriverLike } from './typeorm-types.js';

/** The pools that a driver of TypeORM made. */
export interface DriverPools {
  readonly primary: ManageablePool;
  readonly replicas: readonly ManageablePool[];
}

/** The driver's pools; `undefined` where its database is none that holdfast manages. */
export function poolsOf({ options, driver }: DataSource): DriverPools | undefined {
  switch (options.type) {
    case 'postgres':
      return poolsOfPostgres(driver as unknown as PostgresDriverLike);
    case 'mysql':
    case 'mariadb':
      return poolsOfMysql(driver as unknown as MysqlDriverLike);
    default:
      return undefined;
  }
}

function poolsOfPostgres({ master, slaves = [] }: PostgresDriverLike): DriverPools | undefined {
  return master && { primary: master, replicas: slaves };
}

function poolsOfMysql({ pool, poolCluster }: MysqlDriverLike): DriverPools | undefined {
  if (pool) return { primary: pool, replicas: [] };
  const { MASTER, ...others } = { ...poolCluster?._nodes };
  return MASTER && { primary: MASTER.pool, replicas: Object.values(others).map((node) => node.pool) };
}
