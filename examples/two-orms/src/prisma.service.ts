import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import { manageDataSource } from 'holdfast/typeorm';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { PrismaClient } from './generated/client.js';

/** Prisma on TypeORM's pool: one transaction is one connection, whichever of the two is asked. */
@Injectable()
export class PrismaService extends PrismaClient implements OnModuleDestroy {
  constructor(dataSource: DataSource) {
    super({ adapter: new PrismaPg(manageDataSource(dataSource).primary.native as Pool) });
  }

  async onModuleDestroy(): Promise<void> {
    await this.$disconnect();
  }
}
