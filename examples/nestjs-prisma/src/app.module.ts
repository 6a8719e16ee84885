import { type DynamicModule, Module } from '@nestjs/common';
import { HoldfastModule } from 'holdfast/nestjs';
import { DatabaseModule } from './database.module.js';
import { PointService } from './point.service.js';
import { QuestionService } from './question.service.js';

@Module({})
export class AppModule {
  static on(url: string): DynamicModule {
    return {
      module: AppModule,
      imports: [DatabaseModule.on(url), HoldfastModule.forRoot()],
      providers: [PointService, QuestionService],
    };
  }
}
