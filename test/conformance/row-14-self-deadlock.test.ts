import { AcquireTimeoutError, runInTransaction, runOutsideTransaction, SelfDeadlockError } from 'holdfast';
import type { TransactionOptions } from 'holdfast';
import type { PoolClient } from 'pg';
import { useDatabase } from '../harness/database.js';
import { everyWay, expectCleanPool, labelsIn, until, useWork } from './ways-in.js';

const db = useDatabase();
const independent: TransactionOptions = { propagation: 'REQUIRES_NEW', name: 'independent' };

/** Resolves for all of `count` callers once the last of them has arrived. */
function rendezvous(count: number): () => Promise<void> {
  let arrived = 0;
  let open = (): void => undefined;
  const everybody = new Promise<void>((resolve) => (open = resolve));
  return () => {
    arrived += 1;
    if (arrived === count) open();
    return everybody;
  };
}

describe.each(everyWay)('every connection is held by a transaction: $name', ({ way, opening }) => {
  describe('a pool of one', () => {
    const work = useWork(db, way, { max: 1 });

    test('REQUIRES_NEW inside is refused at once, naming both methods, the pool and what to do', async () => {
      let refusal: unknown;
      await opening.run(
        async () => {
          await work.insert('outer');
          refusal = await opening
            .run(() => work.insert('inner'), independent)
            .catch((error: unknown) => error);
          await work.insert('after');
        },
        { name: 'outer' },
      );

      expect(refusal).toBeInstanceOf(SelfDeadlockError);
      expect(refusal).toMatchObject({ code: 'SELF_DEADLOCK', retryable: true });
      expect((refusal as Error).message).toMatch(
        /^"independent" needs one more connection of pool "default".*"outer".*REQUIRED or NESTED.*raise the pool's max/s,
      );
      expect(await labelsIn(db)).toEqual(['outer', 'after']);
      await expectCleanPool(work.pool, db);
    });

    test('the refusal goes through the outer method when nobody catches it, and undoes it', async () => {
      const outer = opening.run(async () => {
        await work.insert('outer');
        await opening.run(() => work.insert('inner'), independent);
      });

      await expect(outer).rejects.toBeInstanceOf(SelfDeadlockError);
      expect(await labelsIn(db)).toEqual([]);
      await expectCleanPool(work.pool, db);
    });

    test.each([
      ['NOT_SUPPORTED', (run: () => Promise<void>) => opening.run(run, { propagation: 'NOT_SUPPORTED' })],
      ['runOutsideTransaction()', (run: () => Promise<void>) => runOutsideTransaction(run)],
    ])('%s inside is refused at once', async (_, outside) => {
      const outer = opening.run(async () => {
        await work.insert('outer');
        await outside(() => work.insert('outside'));
      });

      await expect(outer).rejects.toMatchObject({ code: 'SELF_DEADLOCK' });
      expect(await labelsIn(db)).toEqual([]);
      await expectCleanPool(work.pool, db);
    });

    test('an outer method without a statement of its own holds nothing, so REQUIRES_NEW inside is served', async () => {
      await opening.run(async () => {
        await opening.run(() => work.insert('inner'), independent);
        await work.insert('outer');
      });
      expect(await labelsIn(db)).toEqual(['inner', 'outer']);
    });

    test('branches of one method: the outer connection is on its way when REQUIRES_NEW asks', async () => {
      const outer = opening.run(async () => {
        await Promise.all([work.insert('outer'), opening.run(() => work.insert('inner'), independent)]);
      });

      await expect(outer).rejects.toMatchObject({ code: 'SELF_DEADLOCK' });
      expect(await labelsIn(db)).toEqual([]);
      await expectCleanPool(work.pool, db);
    });

    test('only a request that is part of the deadlock is refused, never one that merely waits in line', async () => {
      const deadlocked = opening.run(async () => {
        await Promise.all([work.insert('outer'), opening.run(() => work.insert('inner'), independent)]);
      });
      const bystander = opening.run(() => work.insert('bystander'));

      await expect(deadlocked).rejects.toMatchObject({ code: 'SELF_DEADLOCK' });
      await bystander;
      expect(await labelsIn(db)).toEqual(['bystander']);
      await expectCleanPool(work.pool, db);
    });

    test('two REQUIRES_NEW at once, each of which is waited for: both are refused', async () => {
      const inner: PromiseSettledResult<void>[] = [];
      await opening.run(async () => {
        await work.insert('outer');
        const both = ['first', 'second'].map((label) => opening.run(() => work.insert(label), independent));
        inner.push(...(await Promise.allSettled(both)));
      });

      expect(inner).toMatchObject([1, 2].map(() => ({ reason: { code: 'SELF_DEADLOCK' } })));
      expect(await labelsIn(db)).toEqual(['outer']);
      await expectCleanPool(work.pool, db);
    });

    test('a REQUIRES_NEW that nobody waits for is served when the method has returned', async () => {
      let unawaited: Promise<void> | undefined;
      await opening.run(async () => {
        await work.insert('outer');
        unawaited = opening.run(() => work.insert('unawaited'), independent);
      });

      await unawaited;
      expect(await labelsIn(db)).toEqual(['outer', 'unawaited']);
      await expectCleanPool(work.pool, db);
    });

    test('a REQUIRES_NEW that nobody waits for waits while the method goes on with statements of its own', async () => {
      let unawaited: Promise<void> | undefined;
      await opening.run(async () => {
        await work.insert('outer');
        unawaited = opening.run(() => work.insert('unawaited'), independent);
        for (const label of ['second', 'third', 'fourth']) await work.insert(label);
      });

      await unawaited;
      expect(await labelsIn(db)).toEqual(['outer', 'second', 'third', 'fourth', 'unawaited']);
      await expectCleanPool(work.pool, db);
    });

    test('work that was only started outside waits for the connection: the method does not wait for it', async () => {
      let later: Promise<void> | undefined;
      await opening.run(async () => {
        await work.insert('outer');
        runOutsideTransaction(() => {
          later = work.insert('later');
        });
        await work.insert('outer again');
      });

      await later;
      expect(await labelsIn(db)).toEqual(['outer', 'outer again', 'later']);
      await expectCleanPool(work.pool, db);
    });
  });

  describe('a pool of four', () => {
    const work = useWork(db, way, { max: 4 });

    test('four at once each ask for one more: the deadlock is broken and nobody hangs', async () => {
      const everybodyHolds = rendezvous(4);
      const calls = [1, 2, 3, 4].map((number) =>
        opening.run(
          async () => {
            await work.insert(`outer ${number}`);
            await everybodyHolds();
            await opening.run(() => work.insert(`inner ${number}`), independent);
          },
          { name: `outer ${number}` },
        ),
      );
      const settled = await Promise.allSettled(calls);

      const refused = settled.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
      expect(refused.length).toBeGreaterThanOrEqual(1);
      expect(refused.length).toBeLessThan(4);
      for (const { reason } of refused) {
        expect(reason).toBeInstanceOf(SelfDeadlockError);
        for (const number of [1, 2, 3, 4]) expect((reason as Error).message).toContain(`"outer ${number}"`);
      }
      const labels = await labelsIn(db);
      for (const [index, { status }] of settled.entries()) {
        const kept = status === 'fulfilled';
        expect(labels.includes(`outer ${index + 1}`)).toBe(kept);
        expect(labels.includes(`inner ${index + 1}`)).toBe(kept);
      }
      await expectCleanPool(work.pool, db);
    });

    test('REQUIRES_NEW nested deeper than the pool is refused at the depth that has no connection left', async () => {
      const refusals: unknown[] = [];
      const descend = async (depth: number): Promise<void> => {
        await work.insert(`depth ${depth}`);
        if (depth > 5) return;
        await opening
          .run(() => descend(depth + 1), { ...independent, name: `depth ${depth + 1}` })
          .catch((error: unknown) => refusals.push(error));
      };
      await opening.run(() => descend(1), { name: 'depth 1' });

      expect(refusals).toMatchObject([{ code: 'SELF_DEADLOCK' }]);
      expect((refusals[0] as Error).message).toMatch(
        /^"depth 5" needs .* all 4 are held .*"depth 1".*"depth 4"/,
      );
      expect((await labelsIn(db)).toSorted()).toEqual(['depth 1', 'depth 2', 'depth 3', 'depth 4']);
      await expectCleanPool(work.pool, db);
    });
  });

  describe('a pool of two', () => {
    const work = useWork(db, way, { max: 2 });

    test('a holder that is merely slow is no deadlock: the request waits for it', async () => {
      const bothHold = rendezvous(2);
      let finishSlow = (): void => undefined;
      const slow = opening.run(async () => {
        await work.insert('slow one');
        const finished = new Promise<void>((resolve) => (finishSlow = resolve));
        await bothHold();
        await finished;
      });
      const asking = opening.run(async () => {
        await work.insert('outer');
        await bothHold();
        await opening.run(() => work.insert('inner'), independent);
      });

      await until('the request to wait', () => work.pool.waitingCount === 1);
      finishSlow();
      await Promise.all([slow, asking]);
      expect((await labelsIn(db)).toSorted()).toEqual(['inner', 'outer', 'slow one']);
      await expectCleanPool(work.pool, db);
    });

    test('a sibling branch that holds the second connection and does not wait is no deadlock', async () => {
      let finishSibling = (): void => undefined;
      const bothHold = rendezvous(2);
      const outer = opening.run(async () => {
        await work.insert('outer');
        const sibling = opening.run(async () => {
          await work.insert('sibling');
          const finished = new Promise<void>((resolve) => (finishSibling = resolve));
          await bothHold();
          await finished;
        }, independent);
        await bothHold();
        const second = opening.run(() => work.insert('second'), independent);
        await until('the request to wait', () => work.pool.waitingCount === 1);
        finishSibling();
        await Promise.all([sibling, second]);
      });

      await outer;
      expect((await labelsIn(db)).toSorted()).toEqual(['outer', 'second', 'sibling']);
      await expectCleanPool(work.pool, db);
    });

    test('a client that is lent outside any transaction will come back: the request waits for it', async () => {
      const client = await work.pool.connect();
      const asking = opening.run(async () => {
        await work.insert('outer');
        await opening.run(() => work.insert('inner'), independent);
      });

      await until('the request to wait', () => work.pool.waitingCount === 1);
      client.release();
      await asking;
      expect((await labelsIn(db)).toSorted()).toEqual(['inner', 'outer']);
      await expectCleanPool(work.pool, db);
    });
  });

  describe('a pool with connectionTimeoutMillis', () => {
    const work = useWork(db, way, { max: 1 });
    /** Takes the only connection; from then on waiting for one is short, while opening one was not. */
    const takeOnly = async (): Promise<PoolClient> => {
      const client = await work.pool.connect();
      Object.assign(work.pool.options, { connectionTimeoutMillis: 50 });
      return client;
    };

    test('a full pool that is no deadlock is an AcquireTimeoutError with the counts of the pool', async () => {
      const client = await takeOnly();
      const refusal = await opening
        .run(() => work.insert('never'), { name: 'unlucky' })
        .catch((error: unknown) => error);
      client.release();

      expect(refusal).toBeInstanceOf(AcquireTimeoutError);
      expect(refusal).toMatchObject({ code: 'ACQUIRE_TIMEOUT', retryable: true });
      expect((refusal as Error).message).toMatch(
        /^"unlucky" got no connection of pool "default" in time.*In use 1 of 1, idle 0, pending \d\b/s,
      );
      expect((refusal as Error).cause).toMatchObject({
        message: expect.stringContaining('timeout exceeded'),
      });
      expect(await labelsIn(db)).toEqual([]);
      await expectCleanPool(work.pool, db);
    });

    test('the timeout is told to a caller whose method swallowed it', async () => {
      const client = await takeOnly();
      const outcome = runInTransaction(() => work.insert('never').catch(() => undefined));

      await expect(outcome).rejects.toMatchObject({
        code: 'UNEXPECTED_ROLLBACK',
        cause: { code: 'ACQUIRE_TIMEOUT' },
      });
      client.release();
      await expectCleanPool(work.pool, db);
    });
  });
});
