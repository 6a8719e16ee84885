import { Injectable, Logger } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Transactional } from 'holdfast';
import { Repository } from 'typeorm';
import { DraftService } from '../drafts/draft.service.js';
import { PointService } from '../points/point.service.js';
import { type AskQuestion, POINTS_FOR_ASKING, slugOf } from './ask-question.js';
import { Question } from './question.entity.js';

@Injectable()
export class QuestionService {
  private readonly logger = new Logger(QuestionService.name);

  constructor(
    @InjectRepository(Question) private readonly questions: Repository<Question>,
    private readonly points: PointService,
    private readonly drafts: DraftService,
  ) {}

  @Transactional({ retry: { attempts: 3 } })
  async ask({ authorId, title, draftId }: AskQuestion): Promise<Question> {
    this.logger.log(`user ${authorId} asks "${title}"`);
    const question = await this.questions.save({ authorId, title });
    await this.points.award(authorId, POINTS_FOR_ASKING, `asked "${title}"`);
    await this.giveSlug(question);
    if (draftId) await this.drafts.discard(draftId, authorId);
    return question;
  }

  findAll(): Promise<Question[]> {
    return this.questions.find({ order: { id: 'ASC' } });
  }

  /**
   * The one mistake that was left in, for act 3 of the demo: this looks harmless, but on PostgreSQL a failed
   * statement spoils its whole transaction, caught or not. The cure is @Transactional({ propagation: 'NESTED' })
   * on a method around the update, so that the failure undoes no more than its own savepoint.
   */
  private async giveSlug(question: Question): Promise<void> {
    const slug = slugOf(question.title);
    try {
      await this.questions.update(question.id, { slug });
      question.slug = slug;
    } catch {
      this.logger.warn(`the slug "${slug}" is taken; question ${question.id} goes without`);
    }
  }
}
