import 'reflect-metadata';
import { deepEqual } from 'node:assert/strict';
import { NestFactory } from '@nestjs/core';
import { withDatabase } from '../../with-database.js';
import { AppModule } from '../src/app.module.js';
import { PrismaService } from '../src/prisma.service.js';
import { QuestionService } from '../src/question.service.js';
import { tables } from './tables.js';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Plays the service on a PostgreSQL of its own. Answers the exit code. */
export function run(): Promise<number> {
  return withDatabase(tables, async (url) => {
    const app = await NestFactory.createApplicationContext(AppModule.on(url), { logger: ['error', 'fatal'] });
    try {
      await play(app.get(QuestionService), app.get(PrismaService));
    } finally {
      await app.close();
    }
  });
}

async function play(questions: QuestionService, prisma: PrismaService): Promise<void> {
  const expectState = async (story: string, expected: object): Promise<void> => {
    const { points } = await prisma.user.findUniqueOrThrow({ where: { name: 'ada' } });
    const state = { questions: await prisma.question.count(), tags: await prisma.tag.count(), points };
    say(`${story}\n   ${JSON.stringify(state)}`);
    deepEqual(state, expected);
  };
  const lease = { authorId: 1, title: 'What is a lease?', tags: ['pool', 'sql'] };

  await questions.ask(lease);
  await expectState('1  ada asks: the question, its tags and her points', {
    questions: 1,
    tags: 2,
    points: 5,
  });

  const code = await questions.ask(lease).catch((error: { code: string }) => error.code);
  deepEqual(code, 'P2002');
  await expectState('2  she asks the same once more: P2002, and no points', {
    questions: 1,
    tags: 2,
    points: 5,
  });

  const refused = await questions.importAll([
    { ...lease, title: 'May I?' },
    lease,
    { ...lease, title: 'And now?' },
  ]);
  deepEqual(refused, ['What is a lease?']);
  await expectState('3  an import of three, one of them known: $transaction inside is a savepoint', {
    questions: 3,
    tags: 6,
    points: 15,
  });

  deepEqual(questions.announced, ['What is a lease?', 'May I?', 'And now?']);
  say(`announced, after each commit: ${questions.announced.join(' · ')}`);
  say('3 acts, every promise kept.');
}
