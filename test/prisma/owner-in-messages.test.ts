import { runInTransaction } from 'holdfast';
import { failureOf, signal } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { InnerTest } from '../testing/inner-test.js';
import { startPrismaApp } from './prisma-app.js';

const db = useDatabase();
afterEach(() => db.truncate());

/** A message names whoever began the transaction, by the words of whoever reads it. */
describe('a transaction of Prisma’s own in the transaction of a test', () => {
  test.each(['a callback', 'an array'])('is called PrismaClient.$transaction, of %s', async (kind) => {
    const { prisma } = startPrismaApp(db);
    const options = { isolationLevel: 'Serializable' } as const;
    const error = await new InnerTest().run(() =>
      failureOf(
        kind === 'an array'
          ? prisma.$transaction([prisma.entry.count(), prisma.entry.count()], options)
          : prisma.$transaction((tx) => tx.entry.count(), options),
      ),
    );
    expect(error).toMatchObject({
      message: expect.stringMatching(/^"PrismaClient\.\$transaction" asks for SERIALIZABLE/),
    });
  });

  test('is called PrismaClient.$transaction where it is left open; a BEGIN by hand in it is not', async () => {
    const { prisma, pool } = startPrismaApp(db);
    const inner = new InnerTest({ turnTimeoutMs: 60_000 });
    const [begun, over] = [signal(), signal()];
    await inner.begin();
    const open = failureOf(
      prisma.$transaction(
        async (tx) => {
          await tx.entry.count();
          const client = await pool.connect();
          const byHand = failureOf(client.query('BEGIN'));
          await new Promise((resolve) => setImmediate(resolve));
          begun.send();
          await over.sent;
          await byHand;
          client.release();
        },
        { timeout: 60_000 },
      ),
    );
    await begun.sent;
    const { message } = await failureOf(inner.end());
    over.send();
    await open;
    expect(message).toMatch(/"PrismaClient\.\$transaction"/);
    expect(message).toMatch(/"a hand-written BEGIN"/);
  });

  test('is called one that Prisma began where only its BEGIN is seen', async () => {
    const { prisma } = startPrismaApp(db);
    const error = await new InnerTest().run(() =>
      failureOf(prisma.$executeRaw`BEGIN ISOLATION LEVEL SERIALIZABLE`),
    );
    expect(error).toMatchObject({
      message: expect.stringMatching(/^"a transaction that Prisma began \(.*\)" asks for SERIALIZABLE/),
    });
  });
});

test('inside a transaction of holdfast it is PrismaClient.$transaction as well', async () => {
  const { prisma } = startPrismaApp(db);
  const called = runInTransaction(() =>
    prisma.$transaction(async (tx) => void (await tx.entry.count()), { isolationLevel: 'Serializable' }),
  );
  expect(await failureOf(called)).toMatchObject({
    code: 'ISOLATION_MISMATCH',
    message: expect.stringMatching(/"PrismaClient\.\$transaction"/),
  });
});
