import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { HoldfastModule } from 'holdfast/nestjs';
import { type DatabaseOptions, databaseOptions } from './database.js';
import { QuestionsModule } from './questions/questions.module.js';

@Module({})
export class AppModule {
  static on(database: DatabaseOptions): DynamicModule {
    return {
      module: AppModule,
      imports: [TypeOrmModule.forRoot(databaseOptions(database)), HoldfastModule.forRoot(), QuestionsModule],
    };
  }
}
