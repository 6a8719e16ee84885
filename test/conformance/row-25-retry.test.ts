import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runOutsideTransaction,
} from 'holdfast';
import type { TransactionOptions } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { useLog } from '../transaction/log.js';
import { everyWay, expectCleanPool, failureOf, labelsIn, useWork, withSqlState } from './ways-in.js';

const db = useDatabase();
useLog();
const retry = { attempts: 3, backoffMs: 1 };
/** Two that compete may meet again: how often one of them loses is the server's business. */
const stubborn = { ...retry, attempts: 20 };
const serializable: TransactionOptions = { isolationLevel: 'SERIALIZABLE', retry: stubborn };

/** Resolves for both callers once the second has arrived; later callers pass. */
function meeting(): () => Promise<void> {
  let arrived = 0;
  let open = (): void => undefined;
  const both = new Promise<void>((resolve) => (open = resolve));
  return () => {
    arrived += 1;
    if (arrived === 2) open();
    return both;
  };
}

describe.each(everyWay)('an aborted attempt is retried: $name', ({ way, opening }) => {
  const work = useWork(db, way);
  beforeEach(() => db.query("INSERT INTO account (owner, balance) VALUES ('ada', 100), ('bob', 100)"));

  const balances = async () =>
    (await db.query<{ balance: number }>('SELECT balance FROM account ORDER BY owner')).map(
      (row) => row.balance,
    );
  const failWith = (code: string) =>
    work.query(`DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${code}'; END $$`);

  test('a real deadlock between two transactions: one is the victim, both are kept in the end', async () => {
    await db.query(`ALTER DATABASE ${db.name} SET deadlock_timeout = '20ms'`);
    const meet = meeting();
    let runs = 0;
    const transfer = (from: string, to: string) =>
      opening.run(
        async () => {
          runs += 1;
          const attempt = `${from} to ${to}`;
          await work.query('UPDATE account SET balance = balance - 10 WHERE owner = $1', [from]);
          await work.insert(attempt);
          await meet();
          await work.query('UPDATE account SET balance = balance + 10 WHERE owner = $1', [to]);
        },
        { retry: stubborn },
      );
    await Promise.all([transfer('ada', 'bob'), transfer('bob', 'ada')]);

    expect(runs).toBeGreaterThanOrEqual(3);
    expect(await balances()).toEqual([100, 100]);
    expect((await labelsIn(db)).toSorted()).toEqual(['ada to bob', 'bob to ada']);
    await expectCleanPool(work.pool, db);
  });

  test('a real serialization failure: the whole method runs again, on what the other one wrote', async () => {
    const meet = meeting();
    let runs = 0;
    const takeHalf = (): Promise<void> =>
      opening.run(async () => {
        runs += 1;
        const [row] = await work.query<{ balance: number }>(
          "SELECT balance FROM account WHERE owner = 'ada'",
        );
        await meet();
        await work.query("UPDATE account SET balance = $1 WHERE owner = 'ada'", [row!.balance / 2]);
      }, serializable);
    await Promise.all([takeHalf(), takeHalf()]);

    expect(runs).toBeGreaterThanOrEqual(3);
    expect(await balances()).toEqual([25, 100]);
    await expectCleanPool(work.pool, db);
  });

  test('a serialization failure that only COMMIT reports', async () => {
    const meet = meeting();
    let runs = 0;
    const skew = (reads: string, writes: string): Promise<void> =>
      opening.run(async () => {
        runs += 1;
        await work.query('SELECT balance FROM account WHERE owner = $1', [reads]);
        await work.query('UPDATE account SET balance = balance - 1 WHERE owner = $1', [writes]);
        await meet();
      }, serializable);
    await Promise.all([skew('ada', 'bob'), skew('bob', 'ada')]);

    expect(runs).toBeGreaterThanOrEqual(3);
    expect(await balances()).toEqual([99, 99]);
    await expectCleanPool(work.pool, db);
  });

  test.each(['40001', '40P01'])(
    '%s, thrown or swallowed: run again, the failed attempt leaves nothing',
    async (code) => {
      for (const swallowed of [false, true]) {
        await db.query('DELETE FROM entry');
        const ids = new Set<string>();
        const result = await opening.run(
          async () => {
            ids.add(currentTransaction()!.id);
            await work.insert(`attempt ${ids.size}`);
            if (ids.size < 3) {
              const failure = failWith(code);
              await (swallowed ? failure.catch(() => undefined) : failure);
            }
            return ids.size;
          },
          { retry },
        );
        expect(result).toBe(3);
        expect(await labelsIn(db)).toEqual(['attempt 3']);
      }
      await expectCleanPool(work.pool, db);
    },
  );

  test('hooks of a failed attempt: its commit hooks are dropped, its rollback hooks have run before the next begins', async () => {
    const told: string[] = [];
    let attempt = 0;
    await opening.run(
      async () => {
        const number = ++attempt;
        told.push(`begins ${number}`);
        beforeCommit(() => told.push(`before commit ${number}`));
        afterCommit(() => told.push(`after commit ${number}`));
        afterRollback(() => told.push(`after rollback ${number}`));
        afterCompletion((completion) => told.push(`${completion} ${number}`));
        await work.insert('x');
        if (number === 1) await failWith('40001');
      },
      { retry },
    );

    expect(told).toEqual([
      'begins 1',
      'after rollback 1',
      'rolled back 1',
      'begins 2',
      'before commit 2',
      'after commit 2',
      'committed 2',
    ]);
  });

  test('attempts exhausted: the error of the last one, with its SQLSTATE, and nothing persisted', async () => {
    let runs = 0;
    const outcome = opening.run(
      async () => {
        runs += 1;
        await work.insert('never');
        await work.query(`DO $$ BEGIN RAISE EXCEPTION 'attempt ${runs}' USING ERRCODE = '40001'; END $$`);
      },
      { retry },
    );

    const error = await failureOf(outcome);
    expect(error).toEqual(withSqlState('40001'));
    expect(error).toMatchObject({ message: expect.stringContaining('attempt 3') });
    expect(runs).toBe(3);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('without the option, or for another error, the method runs once', async () => {
    let runs = 0;
    const failing = (code: string) => async () => {
      runs += 1;
      await failWith(code);
    };

    await expect(opening.run(failing('40001'))).rejects.toEqual(withSqlState('40001'));
    await expect(opening.run(failing('23505'), { retry })).rejects.toEqual(withSqlState('23505'));
    const aborted = opening.run(() => Promise.reject(new Error('business')), { retry });
    await expect(aborted).rejects.toThrow('business');
    expect(runs).toBe(2);
  });

  test('only the outermost call begins anew: a joined or nested method is never run again by itself', async () => {
    for (const propagation of ['REQUIRED', 'MANDATORY', 'NESTED'] as const) {
      const ran: string[] = [];
      await db.query('DELETE FROM entry');
      await opening.run(
        async () => {
          ran.push('outer');
          await opening.run(
            async () => {
              ran.push('inner');
              await work.insert(`inner of ${ran.length}`);
              if (ran.length < 4) await failWith('40001');
            },
            { propagation, retry: { attempts: 5, backoffMs: 1 } },
          );
        },
        { retry },
      );
      expect(ran).toEqual(['outer', 'inner', 'outer', 'inner']);
      expect(await labelsIn(db)).toEqual(['inner of 4']);
    }
    await expectCleanPool(work.pool, db);
  });

  test('a joined method with retry under an outer one without: its failure ends the transaction', async () => {
    let runs = 0;
    const outcome = opening.run(() =>
      opening.run(
        async () => {
          runs += 1;
          await failWith('40001');
        },
        { retry },
      ),
    );

    await expect(outcome).rejects.toEqual(withSqlState('40001'));
    expect(runs).toBe(1);
  });

  test('REQUIRES_NEW begins a transaction of its own, so it is run again while the outer one stays', async () => {
    const ran: string[] = [];
    await opening.run(async () => {
      ran.push('outer');
      await work.insert('outer');
      await opening.run(
        async () => {
          ran.push('inner');
          await work.insert('inner');
          if (ran.length < 3) await failWith('40P01');
        },
        { propagation: 'REQUIRES_NEW', retry },
      );
    });

    expect(ran).toEqual(['outer', 'inner', 'inner']);
    expect((await labelsIn(db)).toSorted()).toEqual(['inner', 'outer']);
    await expectCleanPool(work.pool, db);
  });

  test('retry.on decides instead of the default, and gets the error that the caller would get', async () => {
    const asked: unknown[] = [];
    let runs = 0;
    const on = (error: unknown): boolean => {
      asked.push(error);
      return error instanceof RangeError;
    };
    await opening.run(
      async () => {
        if (++runs === 1) throw new RangeError('again');
        await work.insert('kept');
      },
      { retry: { ...retry, on } },
    );
    await expect(opening.run(() => failWith('40001'), { retry: { ...retry, on } })).rejects.toEqual(
      withSqlState('40001'),
    );

    expect(runs).toBe(2);
    expect(asked).toEqual([expect.any(RangeError), withSqlState('40001')]);
    expect(await labelsIn(db)).toEqual(['kept']);
  });

  test('what was committed is not run again, although the error would be retried', async () => {
    let runs = 0;
    const outcome = opening.run(
      async () => {
        runs += 1;
        await work.insert('once');
        throw new RangeError('committed all the same');
      },
      { commitOn: RangeError, retry: { ...retry, on: () => true } },
    );

    await expect(outcome).rejects.toThrow('committed all the same');
    expect(runs).toBe(1);
    expect(await labelsIn(db)).toEqual(['once']);
  });

  test('between two attempts the connection is free for others', async () => {
    const single = await way.start(db, { max: 1, name: 'single' });
    let runs = 0;
    let between: Promise<void> | undefined;
    await opening.run(
      async () => {
        await single.insert(`attempt ${++runs}`);
        if (runs === 2) return;
        runOutsideTransaction(() => {
          between = single.insert('between');
        });
        throw new RangeError('again');
      },
      { dataSource: 'single', retry: { ...retry, on: () => true } },
    );
    await between;
    expect(await labelsIn(db)).toEqual(['between', 'attempt 2']);
    await expectCleanPool(single.pool, db);
  });
});
