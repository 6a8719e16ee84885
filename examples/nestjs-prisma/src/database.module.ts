import { type DynamicModule, Inject, Logger, Module, type OnApplicationShutdown } from '@nestjs/common';
import { managePool } from 'holdfast';
import { Pool } from 'pg';
import { PrismaService } from './prisma.service.js';

const logger = new Logger('Database');

/** Makes the pool, and PrismaClient on it. This file is all that holdfast asks of an application beside the decorator. */
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(Pool) private readonly pool: Pool) {}

  static on(url: string): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        {
          provide: Pool,
          useFactory: () => {
            const pool = new Pool({ connectionString: url, max: 5 });
            // Of an idle connection that breaks, as at a restart of the server: without a listener it ends the process.
            pool.on('error', ({ message }) => logger.warn(`a connection of the pool broke: ${message}`));
            managePool(pool);
            return pool;
          },
        },
        PrismaService,
      ],
      exports: [PrismaService],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
