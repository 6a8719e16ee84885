import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { type DatabaseOptions, databaseOptions } from '../src/database.js';
import { Draft } from '../src/drafts/draft.entity.js';
import { PointsModule } from '../src/points/points.module.js';
import { Question } from '../src/questions/question.entity.js';
import { HandWrittenQuestionController } from './hand-written-question.controller.js';
import { HandWrittenQuestionService } from './hand-written-question.service.js';

/** The same service without holdfast. */
@Module({
  imports: [TypeOrmModule.forFeature([Question, Draft]), PointsModule],
  controllers: [HandWrittenQuestionController],
  providers: [HandWrittenQuestionService],
})
export class BeforeModule {
  static on(database: DatabaseOptions): DynamicModule {
    return { module: BeforeModule, imports: [TypeOrmModule.forRoot(databaseOptions(database))] };
  }
}
