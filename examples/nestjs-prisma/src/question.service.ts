import { Injectable } from '@nestjs/common';
import { afterCommit, Transactional } from 'holdfast';
import { PointService } from './point.service.js';
import { PrismaService } from './prisma.service.js';

export interface AskQuestion {
  readonly authorId: number;
  readonly title: string;
  readonly tags: readonly string[];
}

@Injectable()
export class QuestionService {
  /** Stands for a mail that must not be sent for a question that is not there. */
  readonly announced: string[] = [];

  constructor(
    private readonly prisma: PrismaService,
    private readonly points: PointService,
  ) {}

  /** Points first: a title that is taken already must not leave them behind. */
  @Transactional()
  async ask({ authorId, title, tags }: AskQuestion): Promise<number> {
    await this.points.grant(authorId, 5);
    const slug = title.toLowerCase().replace(/\W+/g, '-');
    const { id } = await this.prisma.question.create({
      data: { title, slug, authorId, tags: { create: tags.map((name) => ({ name })) } },
    });
    afterCommit(() => this.announced.push(title));
    return id;
  }

  /** Prisma's own transactions are savepoints of the method's: a title that is taken costs only its own question. */
  @Transactional()
  async importAll(questions: readonly AskQuestion[]): Promise<string[]> {
    const refused: string[] = [];
    for (const question of questions) {
      try {
        await this.prisma.$transaction(() => this.ask(question));
      } catch {
        refused.push(question.title);
      }
    }
    return refused;
  }
}
