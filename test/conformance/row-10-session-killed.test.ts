import { afterCommit, afterRollback, runInTransaction } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import {
  conformanceSchema,
  everyWay,
  expectCleanPool,
  failureOf,
  labelsIn,
  signal,
  useWork,
  withSqlState,
  type Work,
} from './ways-in.js';
import { useWitness } from './witness.js';

const db = useDatabase({ schema: conformanceSchema });

/** Ends the session as an administrator would; resolves when its client has heard of it. */
async function kill(pid: number, ended: Promise<void>): Promise<void> {
  expect(await db.query('SELECT pg_terminate_backend($1) AS killed', [pid])).toEqual([{ killed: true }]);
  await ended;
}

/** Resolves when a connection of the pool has ended. */
function connectionEnd(work: Work): Promise<void> {
  const ended = signal();
  work.pool.on('acquire', (client) => client.once('end', () => ended.send()));
  return ended.sent;
}

describe.each(everyWay)('the server kills the idle session of a transaction: $name', ({ way, opening }) => {
  const work = useWork(db, way);
  const witness = useWitness();
  let ended: Promise<void>;
  let heard: string[];
  beforeEach(() => {
    ended = connectionEnd(work);
    heard = [];
  });

  const begin = async (): Promise<void> => {
    afterCommit(() => heard.push('commit'));
    afterRollback(() => heard.push('rollback'));
    await work.insert('lost');
  };

  async function expectLost(): Promise<void> {
    await new Promise(setImmediate);
    expect(witness.escaped).toEqual([]);
    expect(heard).toEqual(['rollback']);
    expect(work.pool.totalCount).toBe(0);
    expect(await labelsIn(db)).toEqual([]);
    await opening.run(() => work.insert('next'));
    expect(await labelsIn(db)).toEqual(['next']);
    await expectCleanPool(work.pool, db);
  }

  test('the next statement rejects, and the method with it', async () => {
    const called = opening.run(
      async () => {
        await begin();
        await kill(await work.pid(), ended);
        await work.insert('after');
      },
      { name: 'Orders.place' },
    );
    expect(await failureOf(called)).toMatchObject({
      code: 'CONNECTION_LOST',
      message: expect.stringMatching(/^The connection of "Orders\.place" to pool "default" \(pid \d+\)/),
      retryable: true,
    });
    await expectLost();
  });

  test('no further statement comes: the caller is told that nothing was committed', async () => {
    const called = opening.run(async () => {
      await begin();
      await kill(await work.pid(), ended);
      return 'fine';
    });
    expect(await failureOf(called)).toMatchObject({ code: 'CONNECTION_LOST', retryable: true });
    await expectLost();
  });

  test('the method swallows the error of the next statement: the caller is told all the same', async () => {
    const called = opening.run(async () => {
      await begin();
      await kill(await work.pid(), ended);
      expect(await failureOf(work.insert('after'))).toMatchObject({ code: 'CONNECTION_LOST' });
      expect(await failureOf(work.insert('after that'))).toMatchObject({
        code: 'TRANSACTION_CLOSED',
        cause: { code: 'CONNECTION_LOST' },
      });
      return 'fine';
    });
    expect(await failureOf(called)).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      retryable: true,
      cause: { code: 'CONNECTION_LOST' },
    });
    await expectLost();
  });

  test('the method throws an error of its own: the caller gets that one', async () => {
    const boom = new Error('of its own');
    const called = opening.run(async () => {
      await begin();
      await kill(await work.pid(), ended);
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    await expectLost();
  });

  test('inside a NESTED method that is caught: the outer one is told', async () => {
    const called = opening.run(async () => {
      await begin();
      const nested = runInTransaction(
        async () => {
          await work.insert('nested');
          await kill(await work.pid(), ended);
          await work.insert('after');
        },
        { propagation: 'NESTED' },
      );
      expect(await failureOf(nested)).toMatchObject({ code: 'CONNECTION_LOST' });
    });
    expect(await failureOf(called)).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      cause: { code: 'CONNECTION_LOST' },
    });
    await expectLost();
  });

  test('inside a NESTED method that sends nothing more: nobody is told "committed"', async () => {
    const called = opening.run(async () => {
      await begin();
      await runInTransaction(
        async () => {
          await work.insert('nested');
          await kill(await work.pid(), ended);
        },
        { propagation: 'NESTED' },
      );
    });
    expect(await failureOf(called)).toMatchObject({ code: 'CONNECTION_LOST' });
    await expectLost();
  });

  test('while a handle of it is held: its statements reject, its release is harmless', async () => {
    const called = opening.run(async () => {
      await begin();
      const handle = await work.capture();
      try {
        await handle.insert('through the handle');
        await kill(await work.pid(), ended);
        await handle.insert('after');
      } finally {
        await handle.release();
      }
    });
    expect(await failureOf(called)).toMatchObject({ code: 'CONNECTION_LOST' });
    await expectLost();
  });

  test('by idle_in_transaction_session_timeout', async () => {
    const called = opening.run(async () => {
      await begin();
      await work.query(`SET LOCAL idle_in_transaction_session_timeout = '10ms'`);
      await ended;
      await work.insert('after');
    });
    expect(await failureOf(called)).toMatchObject({ code: 'CONNECTION_LOST' });
    await expectLost();
  });

  test('a statement in flight: rejects with what the server said', async () => {
    const called = opening.run(async () => {
      await begin();
      const pid = await work.pid();
      const running = work.query('SELECT pg_sleep(60)');
      running.catch(() => undefined);
      await kill(pid, ended);
      await running;
    });
    expect(await failureOf(called)).toEqual(withSqlState('57P01'));
    await expectLost();
  });

  test('with retry on a lost connection: the whole method again, on another one', async () => {
    let attempts = 0;
    await opening.run(
      async () => {
        attempts += 1;
        await begin();
        if (attempts > 1) return;
        await kill(await work.pid(), ended);
        await work.insert('after');
      },
      {
        retry: {
          attempts: 2,
          backoffMs: 1,
          on: (error) => (error as { retryable?: boolean }).retryable === true,
        },
      },
    );
    expect(attempts).toBe(2);
    expect(heard).toEqual(['rollback', 'commit']);
    expect(await labelsIn(db)).toEqual(['lost']);
    expect(witness.escaped).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});
