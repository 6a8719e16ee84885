import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DraftsModule } from '../drafts/drafts.module.js';
import { PointsModule } from '../points/points.module.js';
import { QuestionController } from './question.controller.js';
import { Question } from './question.entity.js';
import { QuestionService } from './question.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Question]), PointsModule, DraftsModule],
  controllers: [QuestionController],
  providers: [QuestionService],
})
export class QuestionsModule {}
