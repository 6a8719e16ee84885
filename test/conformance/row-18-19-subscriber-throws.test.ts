import { useDatabase } from '../harness/database.js';
import { useLog } from '../transaction/log.js';
import { commit, rollback, start, subscribe } from './recording-subscriber.js';
import type { RecordingSubscriber, TransactionEventName } from './recording-subscriber.js';
import { everyWay, expectCleanPool, labelsIn, useWork } from './ways-in.js';
import { useHookNotes } from './observing.js';

const db = useDatabase();
const log = useLog();
const typeormWays = everyWay.filter(({ way }) => way.orm === 'typeorm');
const broken = new Error('the subscriber broke');

const { told, listen } = useHookNotes();

/** Each way in which a listener breaks: TypeORM calls it and awaits a promise that it returns. */
const breaks: readonly [string, () => unknown][] = [
  [
    'throws',
    () => {
      throw broken;
    },
  ],
  ['rejects', () => Promise.reject(broken)],
];

describe.each(typeormWays)('a TypeORM subscriber breaks: $name', ({ way, opening }) => {
  const work = useWork(db, way, { max: 1 });
  let subscriber: RecordingSubscriber;
  beforeEach(() => (subscriber = subscribe(work)));

  /** The connection is the pool's only one: it must be there, idle, and outside any transaction. */
  async function expectUsable(): Promise<void> {
    expect(work.pool.totalCount).toBe(1);
    subscriber.heard.length = 0;
    subscriber.react = {};
    await opening.run(() => work.insert('next'));
    expect(subscriber.heard).toEqual([...start, ...commit]);
    await expectCleanPool(work.pool, db);
  }

  describe.each(breaks)('it %s', (_, break_) => {
    test.each<TransactionEventName>(['beforeTransactionRollback', 'afterTransactionRollback'])(
      'in %s: rolled back all the same, and the caller gets the error of the method',
      async (event) => {
        subscriber.react[event] = break_;
        const outcome = opening.run(async () => {
          listen();
          await work.insert('gone');
          throw new Error("the method's own");
        });

        await expect(outcome).rejects.toThrow("the method's own");
        expect(subscriber.heard).toEqual([...start, ...rollback]);
        expect(told).toEqual(['after rollback', 'rolled back']);
        expect(await labelsIn(db)).toEqual([]);
        expect(log.errors).toHaveLength(1);
        expect(log.errors[0]![0]).toMatchObject({ error: { message: broken.message } });
        await expectUsable();
      },
    );

    test('in afterTransactionCommit: committed, the caller gets the result, no rollback hook runs', async () => {
      subscriber.react.afterTransactionCommit = break_;
      const result = await opening.run(async () => {
        listen();
        await work.insert('kept');
        return 'result';
      });

      expect(result).toBe('result');
      expect(subscriber.heard).toEqual([...start, ...commit]);
      expect(told).toEqual(['after commit', 'committed']);
      expect(await labelsIn(db)).toEqual(['kept']);
      expect(log.errors).toHaveLength(1);
      expect(log.errors[0]![0]).toMatchObject({ error: { message: broken.message } });
      await expectUsable();
    });

    test('in beforeTransactionCommit: nothing is committed and the caller gets the error of the subscriber', async () => {
      subscriber.react.beforeTransactionCommit = break_;
      const outcome = opening.run(async () => {
        listen();
        await work.insert('gone');
      });

      await expect(outcome).rejects.toBe(broken);
      expect(subscriber.heard).toEqual([...start, 'beforeTransactionCommit', ...rollback]);
      expect(told).toEqual(['after rollback', 'rolled back']);
      expect(await labelsIn(db)).toEqual([]);
      await expectUsable();
    });

    test.each<TransactionEventName>(['beforeTransactionStart', 'afterTransactionStart'])(
      'in %s: the statement is not sent, and its caller gets the error of the subscriber',
      async (event) => {
        subscriber.react[event] = break_;
        const outcome = opening.run(async () => {
          listen();
          await work.insert('never');
        });

        await expect(outcome).rejects.toBe(broken);
        expect(subscriber.heard.filter((name) => name === event)).toHaveLength(1);
        expect(told).toEqual(['after rollback', 'rolled back']);
        expect(await labelsIn(db)).toEqual([]);
        subscriber.react = {};
        await opening.run(() => work.insert('next'));
        expect(await labelsIn(db)).toEqual(['next']);
        await expectCleanPool(work.pool, db);
      },
    );
  });

  test('one that breaks in every event at once still leaves a rolled back transaction and a clean connection', async () => {
    for (const event of [...commit, ...rollback]) subscriber.react[event] = () => Promise.reject(broken);
    const outcome = opening.run(async () => {
      listen();
      await work.insert('gone');
    });

    await expect(outcome).rejects.toBe(broken);
    expect(told).toEqual(['after rollback', 'rolled back']);
    expect(await labelsIn(db)).toEqual([]);
    await expectUsable();
  });

  test('the other subscribers hear of the end although one rejects', async () => {
    const second = subscribe(work);
    subscriber.react.afterTransactionCommit = () => Promise.reject(broken);
    await opening.run(() => work.insert('kept'));

    expect(second.heard).toEqual([...start, ...commit]);
    expect(await labelsIn(db)).toEqual(['kept']);
  });
});
