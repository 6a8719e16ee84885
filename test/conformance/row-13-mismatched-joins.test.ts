import { currentTransaction, type Propagation, type TransactionOptions } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import {
  conformanceSchema,
  Entry,
  everyWay,
  expectCleanPool,
  failureOf,
  labelsIn,
  useWork,
  waysIn,
  type WayIn,
  type Work,
} from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });

type Level = TransactionOptions['isolationLevel'];

const levels: readonly Level[] = [
  undefined,
  'READ UNCOMMITTED',
  'READ COMMITTED',
  'REPEATABLE READ',
  'SERIALIZABLE',
];
const everyPair = levels.flatMap((outer) => levels.map((inner) => ({ outer, inner })));
const corners: typeof everyPair = [
  { outer: undefined, inner: 'SERIALIZABLE' },
  { outer: 'SERIALIZABLE', inner: 'READ COMMITTED' },
  { outer: 'SERIALIZABLE', inner: 'SERIALIZABLE' },
  { outer: 'SERIALIZABLE', inner: undefined },
];
const joining: readonly Propagation[] = ['REQUIRED', 'MANDATORY', 'NESTED', 'SUPPORTS'];
const bothNames = expect.stringMatching(/"Stock\.take".*"Orders\.place"/) as unknown;

const at = (isolationLevel: Level): TransactionOptions => (isolationLevel ? { isolationLevel } : {});

async function levelOf(work: Work): Promise<string> {
  const [row] = await work.query<{ transaction_isolation: string }>('SHOW transaction_isolation');
  return row!.transaction_isolation.toUpperCase();
}

describe.each(everyWay)('isolation levels: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test.each(levels)('a transaction at %s runs at it', async (level) => {
    await opening.run(async () => {
      expect(await levelOf(work)).toBe(level ?? 'READ COMMITTED');
      expect(currentTransaction()?.isolationLevel).toBe(level);
    }, at(level));
    await expectCleanPool(work.pool, db);
  });

  describe.each(joining)('%s', (propagation) => {
    // The decision is the same for every way in: the whole square through one, its corners through the others.
    const pairs = way === waysIn[0] ? everyPair : corners;
    const [fitting, mismatched] = [
      pairs.filter(({ outer, inner }) => inner === undefined || inner === outer),
      pairs.filter(({ outer, inner }) => inner !== undefined && inner !== outer),
    ];

    test.each(mismatched)('$inner does not join $outer: both methods named', async ({ outer, inner }) => {
      let ran = false;
      await opening.run(
        async () => {
          await work.insert('outer');
          const refused = opening.run(
            async () => {
              ran = true;
              await work.insert('inner');
            },
            { ...at(inner), propagation, name: 'Stock.take' },
          );
          expect(await failureOf(refused)).toMatchObject({
            name: 'IsolationMismatchError',
            code: 'ISOLATION_MISMATCH',
            retryable: false,
            message: bothNames,
          });
          // Refused before it did anything: the outer method may go on.
          await work.insert('outer again');
        },
        { ...at(outer), name: 'Orders.place' },
      );
      expect(ran).toBe(false);
      expect(await labelsIn(db)).toEqual(['outer', 'outer again']);
      await expectCleanPool(work.pool, db);
    });

    test.each(fitting)('$inner joins $outer', async ({ outer, inner }) => {
      await opening.run(async () => {
        await work.insert('outer');
        const level = await levelOf(work);
        await opening.run(
          async () => {
            expect(await work.labels()).toEqual(['outer']);
            expect(await levelOf(work)).toBe(level);
          },
          { ...at(inner), propagation },
        );
      }, at(outer));
      await expectCleanPool(work.pool, db);
    });
  });

  test('REQUIRES_NEW has a level of its own', async () => {
    await opening.run(
      async () => {
        expect(await levelOf(work)).toBe('REPEATABLE READ');
        await opening.run(async () => expect(await levelOf(work)).toBe('SERIALIZABLE'), {
          propagation: 'REQUIRES_NEW',
          isolationLevel: 'SERIALIZABLE',
        });
        expect(await levelOf(work)).toBe('REPEATABLE READ');
      },
      { isolationLevel: 'REPEATABLE READ' },
    );
    await expectCleanPool(work.pool, db);
  });
});

interface HandWritten {
  readonly title: string;
  readonly orm: WayIn['orm'];
  readonly begin: (work: Work, level: NonNullable<Level>) => Promise<unknown>;
}

/** Transactions that are begun by hand, with a level, inside one of ours. */
const handWritten: readonly HandWritten[] = [
  {
    title: 'dataSource.transaction(level, …)',
    orm: 'typeorm',
    begin: (work, level) =>
      work.dataSource!.transaction(level, (manager) => manager.insert(Entry, { label: 'inner' })),
  },
  {
    title: 'manager.transaction(level, …)',
    orm: 'typeorm',
    begin: (work, level) =>
      work.dataSource!.manager.transaction(level, (manager) => manager.insert(Entry, { label: 'inner' })),
  },
  {
    title: 'repository.manager.transaction(level, …)',
    orm: 'typeorm',
    begin: (work, level) =>
      work
        .dataSource!.getRepository(Entry)
        .manager.transaction(level, (manager) => manager.insert(Entry, { label: 'inner' })),
  },
  {
    title: 'queryRunner.startTransaction(level)',
    orm: 'typeorm',
    async begin(work, level) {
      const runner = work.dataSource!.createQueryRunner();
      try {
        await runner.startTransaction(level);
        await runner.manager.insert(Entry, { label: 'inner' });
        await runner.commitTransaction();
      } finally {
        await runner.release();
      }
    },
  },
  {
    title: 'prisma.$transaction(…, { isolationLevel })',
    orm: 'prisma',
    begin: (work, level) =>
      work.prisma!.$transaction((tx) => tx.entry.create({ data: { label: 'inner' } }), {
        isolationLevel: level === 'SERIALIZABLE' ? 'Serializable' : 'ReadCommitted',
      }),
  },
  {
    title: 'prisma.$transaction([…], { isolationLevel })',
    orm: 'prisma',
    begin: (work, level) =>
      work.prisma!.$transaction([work.prisma!.entry.create({ data: { label: 'inner' } })], {
        isolationLevel: level === 'SERIALIZABLE' ? 'Serializable' : 'ReadCommitted',
      }),
  },
  {
    title: 'BEGIN ISOLATION LEVEL … on a client',
    orm: 'none',
    async begin(work, level) {
      const client = await work.pool.connect();
      try {
        await client.query(`BEGIN ISOLATION LEVEL ${level}`);
        await client.query(`INSERT INTO entry (label) VALUES ('inner')`);
        await client.query('COMMIT');
      } finally {
        client.release();
      }
    },
  },
];

const handWrittenGrid = everyWay.flatMap((cell) =>
  handWritten
    .filter(({ orm }) => orm === 'none' || orm === cell.way.orm)
    .map((hand) => ({ ...cell, ...hand, title: `${hand.title} with ${cell.name}` })),
);

describe.each(handWrittenGrid)('$title', ({ way, opening, begin }) => {
  const work = useWork(db, way);

  test.each([undefined, 'READ COMMITTED', 'REPEATABLE READ'] as const)(
    'asks for SERIALIZABLE inside %s: refused, nothing done',
    async (outer) => {
      await opening.run(
        async () => {
          await work.insert('outer');
          expect(await failureOf(begin(work, 'SERIALIZABLE'))).toMatchObject({
            code: 'ISOLATION_MISMATCH',
            message: expect.stringContaining('"Orders.place"'),
          });
          await work.insert('outer again');
        },
        { ...at(outer), name: 'Orders.place' },
      );
      expect(await labelsIn(db)).toEqual(['outer', 'outer again']);
      await expectCleanPool(work.pool, db);
    },
  );

  test('asks for the level that it is in: a savepoint', async () => {
    await opening.run(
      async () => {
        await work.insert('outer');
        await begin(work, 'SERIALIZABLE');
        expect(await labelsIn(db)).toEqual([]);
      },
      { isolationLevel: 'SERIALIZABLE' },
    );
    expect(await labelsIn(db)).toEqual(['outer', 'inner']);
    await expectCleanPool(work.pool, db);
  });

  test('outside any transaction: as the driver does it', async () => {
    await begin(work, 'SERIALIZABLE');
    expect(await labelsIn(db)).toEqual(['inner']);
    await expectCleanPool(work.pool, db);
  });
});
