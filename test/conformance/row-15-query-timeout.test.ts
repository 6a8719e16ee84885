import type { PoolConfig, QueryConfig } from 'pg';
import { CommitOutcomeUnknownError, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { useLog } from '../transaction/log.js';
import {
  closeGate,
  conformanceSchema,
  everyWay,
  expectCleanPool,
  labelsIn,
  until,
  useWork,
} from './ways-in.js';
import type { Gate, Work } from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });
const log = useLog();
const query_timeout = 150;
/** One way of each kind: at the boundary they differ in nothing that this row is about. */
const someWays = everyWay.filter(({ way }) =>
  ['pool.query()', 'TypeORM repository', 'Prisma client'].includes(way.name),
);

interface LimitedClient {
  readonly connectionParameters: object;
}

const limit = ({ connectionParameters }: LimitedClient): void =>
  void Object.assign(connectionParameters, { query_timeout });

/** Gives the limit to the connections that are open: what comes before the slow statement may take its time. */
function limitFromHere({ pool }: Work): void {
  (pool as unknown as { readonly _clients: readonly LimitedClient[] })._clients.forEach(limit);
}

/** The connection is gone from the server and from the pool, and what it did with it. */
async function expectDestroyed(work: Work, pid: number, gate: Gate): Promise<void> {
  expect(work.pool.totalCount).toBe(0);
  expect(await work.pid()).not.toBe(pid);
  await work.insert('next borrower');
  // Until here the server was still running the statement: it may end now, and must not be kept.
  await gate.open();
  await until('the session to end', async () =>
    (await db.sessions()).every((session) => session.pid !== pid),
  );
  expect(await labelsIn(db)).toEqual(['next borrower']);
  await expectCleanPool(work.pool, db);
}

describe.each(everyWay)(
  "the client's query_timeout fires inside a transaction: $name",
  ({ way, opening }) => {
    const work = useWork(db, way);

    test('the connection is destroyed, and nobody ever sees or commits its rows', async () => {
      const gate = await closeGate(db);
      let pid = 0;
      const outcome = opening.run(async () => {
        pid = await work.pid();
        await work.insert('before');
        limitFromHere(work);
        await work.insert('slow');
      });

      await expect(outcome).rejects.toThrow('Query read timeout');
      await expectDestroyed(work, pid, gate);
    });

    test('swallowed: the caller is told that nothing was kept, and why', async () => {
      const gate = await closeGate(db);
      let pid = 0;
      const outcome = opening.run(
        async () => {
          pid = await work.pid();
          limitFromHere(work);
          await work.insert('slow').catch(() => undefined);
          return 'all is well';
        },
        { name: 'swallower' },
      );

      await expect(outcome).rejects.toMatchObject({
        code: 'UNEXPECTED_ROLLBACK',
        retryable: false,
        message: expect.stringMatching(/^"swallower" returned, but its work was rolled back: its connection/),
        cause: { message: expect.stringContaining('Query read timeout') },
      });
      await expectDestroyed(work, pid, gate);
    });

    test('statements that wait behind it, or come after it, are refused with the reason', async () => {
      const gate = await closeGate(db);
      let pid = 0;
      const settled: PromiseSettledResult<unknown>[] = [];
      const outcome = opening.run(async () => {
        pid = await work.pid();
        limitFromHere(work);
        settled.push(
          ...(await Promise.allSettled([work.insert('slow'), work.insert('b'), work.insert('c')])),
        );
        settled.push(...(await Promise.allSettled([work.insert('d')])));
      });

      await expect(outcome).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
      expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
      const told = settled.map((result) => String((result as PromiseRejectedResult).reason));
      expect(told[0]).toContain('Query read timeout');
      for (const later of told.slice(1))
        expect(later).toMatch(/^(ConnectionLostError|TransactionClosedError)/);
      await expectDestroyed(work, pid, gate);
    });

    test('on the very first statement, while BEGIN travels with it', async () => {
      const gate = await closeGate(db);
      work.pool.once('acquire', (client) => limit(client as unknown as LimitedClient));
      const outcome = opening.run(() => work.insert('slow'));

      await gate.waiting();
      const [session] = (await db.sessions()).filter(({ inTransaction }) => inTransaction);
      await expect(outcome).rejects.toThrow('Query read timeout');
      await expectDestroyed(work, session!.pid, gate);
    });

    test('inside a NESTED call: the savepoint cannot be undone, so the whole transaction ends', async () => {
      const gate = await closeGate(db);
      let pid = 0;
      const outcome = opening.run(async () => {
        pid = await work.pid();
        await work.insert('before');
        limitFromHere(work);
        await opening.run(() => work.insert('slow'), { propagation: 'NESTED' }).catch(() => undefined);
      });

      await expect(outcome).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
      await expectDestroyed(work, pid, gate);
    });
  },
);

describe.each(someWays)("the client's query_timeout fires at the boundary: $name", ({ way, opening }) => {
  test('COMMIT that the server never gets: unknown, with the id to look for, and no second attempt', async () => {
    const proxy = await db.proxy();
    await db.truncate();
    const work = await way.start(db, { url: proxy.url(db.url) });
    const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
    let txid = '';
    const outcome = opening.run(
      async () => {
        await work.insert('kept or not');
        txid = await work.txid();
        limitFromHere(work);
      },
      { retry: { attempts: 3, on: () => true } },
    );

    const error = (await outcome.catch((reason: unknown) => reason)) as CommitOutcomeUnknownError;
    expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
    expect(error).toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN', retryable: false, transactionId: txid });
    expect(error.message).toMatch(/Query read timeout.*SELECT pg_xact_status\('\d+'\)/s);
    expect(proxy.texts.filter((text) => text.startsWith('INSERT'))).toHaveLength(1);
    expect(await labelsIn(db)).toEqual([]);
    // Why no other answer would have been true:
    commit.release();
    await until('the late COMMIT', async () => (await labelsIn(db)).length === 1);
  });

  test('COMMIT that arrives after the client gave up: the caller is told what the server did', async () => {
    const proxy = await db.proxy();
    await db.truncate();
    const work = await way.start(db, { url: proxy.url(db.url) });
    const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
    const outcome = opening.run(async () => {
      await work.insert('late');
      limitFromHere(work);
    });
    await until('the client to give up', () => log.warnings.length === 1);
    commit.release();
    await outcome;

    expect(await labelsIn(db)).toEqual(['late']);
    expect(log.warnings.at(-1)![1]).toMatch(/lost during COMMIT.*outcome: committed/);
    await expectCleanPool(work.pool, db);
  });

  test('ROLLBACK: the caller gets its own error, the connection is destroyed', async () => {
    const proxy = await db.proxy();
    await db.truncate();
    const work = await way.start(db, { url: proxy.url(db.url) });
    const rollback = proxy.once(/^ROLLBACK$/, { action: 'black-hole' });
    let pid = 0;
    const outcome = opening.run(async () => {
      pid = await work.pid();
      await work.insert('gone');
      limitFromHere(work);
      throw new Error("the method's own");
    });

    await expect(outcome).rejects.toThrow("the method's own");
    expect(rollback.hits).toHaveLength(1);
    expect(work.pool.totalCount).toBe(0);
    expect(await work.pid()).not.toBe(pid);
    await proxy.heal();
    expect(await labelsIn(db)).toEqual([]);
  });
});

describe('query_timeout of one statement', () => {
  async function useManaged(config: PoolConfig = {}) {
    await db.truncate();
    const pool = db.pool({ max: 2, ...config });
    pool.on('error', () => undefined);
    const managed = managePool(pool);
    db.defer(() => unmanagePool(managed));
    return pool;
  }
  const slowInsert = { text: "INSERT INTO entry (label) VALUES ('slow')", query_timeout } as QueryConfig;

  test.each([
    ['pool.query()', {}],
    ['pool.query() of a pool in pipeline mode', { pipeline: true } as PoolConfig],
  ])('%s: the connection is destroyed and nothing is kept', async (_, config) => {
    const pool = await useManaged(config);
    const gate = await closeGate(db);
    const outcome = runInTransaction(async () => {
      await pool.query("INSERT INTO entry (label) VALUES ('before')");
      await pool.query(slowInsert);
    });

    await expect(outcome).rejects.toThrow('Query read timeout');
    expect(pool.totalCount).toBe(0);
    await gate.open();
    await until('the sessions to end', async () => (await db.sessions()).length === 1);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(pool, db);
  });

  test('client.query() with a callback: the callback is told', async () => {
    const pool = await useManaged();
    const gate = await closeGate(db);
    const outcome = runInTransaction(async () => {
      const client = await pool.connect();
      const told = await new Promise((resolve) => client.query(slowInsert, resolve));
      client.release();
      expect(String(told)).toContain('Query read timeout');
    });

    await expect(outcome).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
    expect(pool.totalCount).toBe(0);
    await gate.open();
    await until('the sessions to end', async () => (await db.sessions()).length === 1);
    expect(await labelsIn(db)).toEqual([]);
  });

  test('a statement that is in time leaves no trace of its limit', async () => {
    const pool = await useManaged();
    await runInTransaction(async () => {
      await pool.query({
        text: "INSERT INTO entry (label) VALUES ('in time')",
        query_timeout: 5000,
      } as QueryConfig);
    });
    expect(await labelsIn(db)).toEqual(['in time']);
    await expectCleanPool(pool, db);
  });
});
