import { Body, Controller, Get, Post } from '@nestjs/common';
import type { AskQuestion } from './ask-question.js';
import type { Question } from './question.entity.js';
import { QuestionService } from './question.service.js';

@Controller('questions')
export class QuestionController {
  constructor(private readonly questions: QuestionService) {}

  @Post()
  ask(@Body() question: AskQuestion): Promise<Question> {
    return this.questions.ask(question);
  }

  @Get()
  findAll(): Promise<Question[]> {
    return this.questions.findAll();
  }
}
