import { Injectable, Logger, NotFoundException } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Draft } from '../src/drafts/draft.entity.js';
import { PointService } from '../src/points/point.service.js';
import { type AskQuestion, POINTS_FOR_ASKING, slugOf } from '../src/questions/ask-question.js';
import { Question } from '../src/questions/question.entity.js';

/** The same flow as QuestionService.ask(), by hand, with the mistakes that such code has when it ships. */
@Injectable()
export class HandWrittenQuestionService {
  private readonly logger = new Logger(HandWrittenQuestionService.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly points: PointService,
  ) {}

  async ask({ authorId, title, draftId }: AskQuestion): Promise<Question> {
    const runner = this.dataSource.createQueryRunner();
    await runner.connect();
    await runner.startTransaction();
    try {
      const question = await runner.manager.save(Question, { authorId, title });
      // BUG 1: PointService writes through its own repositories, which know nothing of this runner. Its rows are
      // committed at once, and it needs a second connection while this request holds the first.
      await this.points.award(authorId, POINTS_FOR_ASKING, `asked "${title}"`);
      await this.giveSlug(question, runner.manager);
      if (draftId) {
        const { affected } = await runner.manager.delete(Draft, { id: draftId, authorId });
        if (!affected) throw new NotFoundException(`Draft ${draftId} does not exist`);
      }
      await runner.commitTransaction();
      // BUG 3: only a request that succeeds gets here; each one that fails keeps its connection for good.
      await runner.release();
      return question;
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    }
  }

  private async giveSlug(question: Question, manager: EntityManager): Promise<void> {
    const slug = slugOf(question.title);
    try {
      await manager.update(Question, question.id, { slug });
      question.slug = slug;
    } catch {
      // BUG 2: the failed statement has spoilt the transaction. COMMIT will answer ROLLBACK, and nobody looks.
      this.logger.warn(`the slug "${slug}" is taken; question ${question.id} goes without`);
    }
  }
}
