import { Body, Controller, Post } from '@nestjs/common';
import type { AskQuestion } from '../src/questions/ask-question.js';
import type { Question } from '../src/questions/question.entity.js';
import { HandWrittenQuestionService } from './hand-written-question.service.js';

@Controller('questions')
export class HandWrittenQuestionController {
  constructor(private readonly questions: HandWrittenQuestionService) {}

  @Post()
  ask(@Body() question: AskQuestion): Promise<Question> {
    return this.questions.ask(question);
  }
}
