import type { TypeOrmModuleOptions } from '@nestjs/typeorm';

export interface DatabaseOptions {
  readonly url: string;
  /** Connections that the service may hold. */
  readonly poolSize: number;
}

export function databaseOptions({ url, poolSize }: DatabaseOptions): TypeOrmModuleOptions {
  return {
    type: 'postgres',
    url,
    poolSize,
    connectTimeoutMS: 2000,
    autoLoadEntities: true,
    // For an example. A service in production has migrations.
    synchronize: true,
    retryAttempts: 0,
  };
}
