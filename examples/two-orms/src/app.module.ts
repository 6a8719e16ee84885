import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { HoldfastModule } from 'holdfast/nestjs';
import { Account } from './account.entity.js';
import { PrismaService } from './prisma.service.js';
import { TransferService } from './transfer.service.js';

@Module({})
export class AppModule {
  static on(url: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url, poolSize: 5, autoLoadEntities: true }),
        TypeOrmModule.forFeature([Account]),
        HoldfastModule.forRoot(),
      ],
      providers: [PrismaService, TransferService],
    };
  }
}
