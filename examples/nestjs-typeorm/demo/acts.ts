import type { Database, Holdings } from './database.js';
import type { Service } from './service.js';

export interface Stage {
  readonly service: Service;
  readonly database: Database;
}

/** How one of the two services came out of an act. */
export interface Outcome {
  readonly client: readonly string[];
  readonly holds: Holdings;
  readonly connectionsOut: number;
  readonly log: readonly string[];
}

export interface Act {
  readonly title: string;
  readonly story: string;
  readonly poolSize: number;
  readonly request: string;
  /** Sends the requests; answers what each client saw. */
  readonly play: (stage: Stage) => Promise<string[]>;
  /** Whether holdfast kept its promise. */
  readonly kept: (outcome: Outcome) => boolean;
  readonly promise: string;
  /** Whether the hand-written service does what the last line says it does. */
  readonly asTold: (outcome: Outcome) => boolean;
  readonly byHand: string;
  /** A line of holdfast's service's log that is worth reading. */
  readonly logLine?: (line: string) => boolean;
}

const ADA = 1;
const DRAFT = 1;
const title = 'How do I keep two writes together?';
const untouched: Holdings = { questions: 0, points: 10, history: 10, drafts: 1 };
const asked: Holdings = { questions: 1, points: 15, history: 15, drafts: 0 };

export const acts: readonly Act[] = [
  {
    title: 'A success',
    story:
      'Ada asks a question. Four writes belong together: the question, her points, the point history, and her draft, which goes.',
    poolSize: 10,
    request: JSON.stringify({ authorId: ADA, title, draftId: DRAFT }),
    play: async ({ service }) => [await service.ask({ authorId: ADA, title, draftId: DRAFT })],
    kept: ({ client, holds, connectionsOut }) =>
      client[0] === '201 Created, question 2' && same(holds, asked) && connectionsOut === 0,
    promise: 'All four writes are there.',
    asTold: ({ holds }) => same(holds, asked),
    byHand: 'The same. Nothing has gone wrong yet.',
  },
  {
    title: 'A failure in the last step',
    story: 'The draft is gone already (deleted in another tab), which the last of the four steps finds out.',
    poolSize: 10,
    request: JSON.stringify({ authorId: ADA, title, draftId: 99 }),
    play: async ({ service }) => [await service.ask({ authorId: ADA, title, draftId: 99 })],
    kept: ({ client, holds, connectionsOut }) =>
      client[0] === '404 Draft 99 does not exist' && same(holds, untouched) && connectionsOut === 0,
    promise: 'Nothing is left of it.',
    asTold: ({ holds, connectionsOut }) =>
      same(holds, { ...untouched, points: 15, history: 15 }) && connectionsOut === 1,
    byHand:
      "Ada has 5 points for a question that does not exist: PointService's repositories are not on the runner. " +
      'And release() is not in a finally block, so every failed request keeps a connection for good.',
  },
  {
    title: 'A swallowed error',
    story:
      'The title is taken, so its slug is too. The service catches that error, logs it and goes on: a slug is only nice to have. ' +
      'On PostgreSQL, COMMIT after a failed statement rolls back, and says so only in a tag of its answer.',
    poolSize: 10,
    request: JSON.stringify({ authorId: ADA, title: 'What is a lease?' }),
    play: async ({ service }) => [await service.ask({ authorId: ADA, title: 'What is a lease?' })],
    kept: ({ client, holds, log, connectionsOut }) =>
      client[0] === '500 Internal server error' &&
      same(holds, untouched) &&
      log.some((line) => line.startsWith('UnexpectedRollbackError')) &&
      connectionsOut === 0,
    promise: 'Nothing is there, the client knows, and the log names the method, the reason and the cure.',
    asTold: ({ client, holds }) => client[0]?.startsWith('201') === true && holds.questions === 0,
    byHand: 'Silent loss: the client was told "201 Created", with a number, and there is no such question.',
    logLine: (line) => line.startsWith('UnexpectedRollbackError'),
  },
  {
    title: 'Two requests at once',
    story:
      'Two tabs send at the same moment, to a service with a pool of two connections. (With ten connections it takes ten tabs.)',
    poolSize: 2,
    request: `${JSON.stringify({ authorId: ADA, title: 'First?' })} and ${JSON.stringify({ authorId: ADA, title: 'Second?' })}`,
    play: async ({ service, database }) =>
      database.session(async (session) => {
        // Nobody may write a question yet, so that both requests are under way before either goes on.
        await session.query('BEGIN; LOCK TABLE question IN SHARE MODE');
        const answers = ['First?', 'Second?'].map((each) => service.ask({ authorId: ADA, title: each }));
        await database.waitForBlocked(2);
        await session.query('COMMIT');
        return (await Promise.all(answers)).sort();
      }),
    kept: ({ client, holds, connectionsOut }) =>
      client.every((seen) => seen.startsWith('201 Created')) &&
      same(holds, { questions: 2, points: 20, history: 20, drafts: 1 }) &&
      connectionsOut === 0,
    promise: 'Both are there. A transaction uses one connection, however many services take part in it.',
    asTold: ({ client, connectionsOut }) =>
      client.every((seen) => seen.startsWith('500')) && connectionsOut === 2,
    byHand:
      'Each request holds one connection and waits for a second, which the other one holds. They wait until connectTimeoutMS; ' +
      'after that both connections are lost and the service is dead.',
  },
  {
    title: 'A deadlock',
    story:
      'A nightly job tidies the drafts and then locks the user, while Ada asks: her request has locked the user and wants the draft. ' +
      'PostgreSQL ends the deadlock after a second, at the expense of the request.',
    poolSize: 10,
    request: JSON.stringify({ authorId: ADA, title, draftId: DRAFT }),
    play: async ({ service, database }) =>
      database.session(async (job) => {
        // Whoever waited for this long looks for a deadlock, once, and is its victim: not the job.
        await job.query(`BEGIN; SET LOCAL deadlock_timeout = '60s'; SELECT FROM draft FOR UPDATE`);
        const { answer, locked } = await database.session(async (gate) => {
          // Between the user and the draft. The request is to come last: what it looks for is there by then.
          await gate.query('BEGIN; LOCK TABLE point_history IN SHARE MODE');
          const asked = service.ask({ authorId: ADA, title, draftId: DRAFT });
          await database.waitForBlocked(1);
          const waits = job.query('SELECT FROM "user" WHERE id = 1 FOR UPDATE');
          await database.waitForBlocked(2);
          return { answer: asked, locked: waits };
        });
        await locked;
        await job.query('COMMIT');
        return [await answer];
      }),
    kept: ({ client, holds, log, connectionsOut }) =>
      client[0]?.startsWith('201 Created') === true &&
      same(holds, asked) &&
      log.filter((line) => line === `user 1 asks "${title}"`).length === 2 &&
      connectionsOut === 0,
    promise:
      'The method ran again from its start, as retry: { attempts: 3 } asks, and its work is there once.',
    asTold: ({ client, holds }) =>
      client[0]?.startsWith('500') === true && holds.points === 15 && holds.questions === 0,
    byHand: 'The question is lost, its points are not, and a connection is.',
  },
];

function same(left: Holdings, right: Holdings): boolean {
  return (Object.keys(right) as (keyof Holdings)[]).every((key) => left[key] === right[key]);
}
