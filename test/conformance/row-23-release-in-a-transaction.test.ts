import type { Pool, PoolClient } from 'pg';
import Cursor from 'pg-cursor';
import { LeaseReleasedError, managePool, TransactionClosedError, unmanagePool } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { everyWay, expectCleanPool, labelsIn, openings, useWork } from './ways-in.js';
import type { Captured } from './ways-in.js';

const db = useDatabase();
/** What is taken through these belongs to the transaction in which it was taken. */
const bound = everyWay.filter(({ way }) =>
  ['pool.connect()', 'TypeORM createQueryRunner()'].includes(way.name),
);

describe.each(bound)('what a transaction lent is used after its end: $name', ({ way, opening }) => {
  const work = useWork(db, way, { max: 1 });

  const takeStale = (): Promise<Captured> =>
    opening.run(
      async () => {
        const captured = await work.capture();
        await captured.insert('first');
        return captured;
      },
      { name: 'first' },
    );

  test('while another transaction has the connection: refused, and that one goes on undisturbed', async () => {
    const stale = await takeStale();
    let refusal: unknown;
    await opening.run(async () => {
      await work.insert('second');
      refusal = await stale.insert('stale').catch((error: unknown) => error);
      await stale.release();
      await work.insert('second again');
    });

    expect(refusal).toBeInstanceOf(TransactionClosedError);
    expect((refusal as Error).message).toMatch(
      /^The transaction of "first" has ended.*runOutsideTransaction/s,
    );
    expect(await labelsIn(db)).toEqual(['first', 'second', 'second again']);
    await expectCleanPool(work.pool, db);
  });

  test('outside every transaction: refused, never run in autocommit', async () => {
    const stale = await takeStale();

    await expect(stale.insert('stale')).rejects.toBeInstanceOf(TransactionClosedError);
    await expect(stale.query('SELECT 1')).rejects.toBeInstanceOf(TransactionClosedError);
    await stale.release();
    expect(await labelsIn(db)).toEqual(['first']);
    await expectCleanPool(work.pool, db);
  });

  test('after a rollback: refused as well', async () => {
    let stale: Captured | undefined;
    const outcome = opening.run(async () => {
      stale = await work.capture();
      await stale.insert('gone');
      throw new Error('undo');
    });

    await expect(outcome).rejects.toThrow('undo');
    await expect(stale!.insert('stale')).rejects.toBeInstanceOf(TransactionClosedError);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('taken in a NESTED call that was rolled back and used after it: part of the transaction around', async () => {
    let taken: Captured | undefined;
    await opening.run(async () => {
      const nested = opening.run(
        async () => {
          taken = await work.capture();
          await taken.insert('nested');
          throw new Error('undo');
        },
        { propagation: 'NESTED' },
      );
      await expect(nested).rejects.toThrow('undo');
      await taken!.insert('after');
    });

    expect(await labelsIn(db)).toEqual(['after']);
    await expectCleanPool(work.pool, db);
  });
});

describe.each(openings)('a client of pool.connect() in $name', ({ run }) => {
  let pool: Pool;
  beforeEach(async () => {
    await db.truncate();
    pool = db.pool({ max: 1 });
    const managed = managePool(pool);
    db.defer(() => unmanagePool(managed));
  });
  const add = (client: Pool | PoolClient, label: string) =>
    client.query('INSERT INTO entry (label) VALUES ($1)', [label]);

  test('released twice: a named error, and the transaction is none the worse', async () => {
    await run(async () => {
      const client = await pool.connect();
      await add(client, 'a');
      client.release();
      expect(() => client.release()).toThrow(LeaseReleasedError);
      await add(pool, 'b');
    });

    expect(await labelsIn(db)).toEqual(['a', 'b']);
    await expectCleanPool(pool, db);
  });

  test('released twice in callback style: a named error from the second', async () => {
    await run(
      () =>
        new Promise<void>((resolve, reject) => {
          pool.connect((error, client, done) => {
            if (error) return reject(error);
            done();
            expect(() => done()).toThrow(LeaseReleasedError);
            expect(() => client!.release()).toThrow(LeaseReleasedError);
            resolve();
          });
        }),
    );
    await expectCleanPool(pool, db);
  });

  test('two clients of one transaction: one released twice leaves the other in use', async () => {
    await run(async () => {
      const [one, two] = [await pool.connect(), await pool.connect()];
      one.release();
      expect(() => one.release()).toThrow(LeaseReleasedError);
      await add(two, 'by the other');
      two.release();
    });
    expect(await labelsIn(db)).toEqual(['by the other']);
    await expectCleanPool(pool, db);
  });

  test('released only after the transaction: nothing is given back a second time', async () => {
    let late: PoolClient | undefined;
    await run(async () => {
      late = await pool.connect();
      await add(late, 'a');
    });
    const holder = await pool.connect();
    late!.release();

    expect(pool.idleCount).toBe(0);
    await add(holder, 'b');
    holder.release();
    expect(await labelsIn(db)).toEqual(['a', 'b']);
    await expectCleanPool(pool, db);
  });

  test('a client of another lease that was released before: refused inside the transaction that has its connection', async () => {
    const before = await pool.connect();
    before.release();
    let refusal: unknown;
    await run(async () => {
      await add(pool, 'mine');
      refusal = await add(before, 'stale').catch((error: unknown) => error);
      expect(() => before.release()).toThrow(LeaseReleasedError);
      await add(pool, 'mine too');
    });

    expect(refusal).toMatchObject({ code: 'STALE_LEASE' });
    expect(await labelsIn(db)).toEqual(['mine', 'mine too']);
    await expectCleanPool(pool, db);
  });

  test('a cursor on a client of a transaction that has ended: refused through the cursor', async () => {
    let late: PoolClient | undefined;
    await run(async () => {
      late = await pool.connect();
      await add(late, 'a');
    });

    await expect(late!.query(new Cursor('SELECT 1')).read(1)).rejects.toBeInstanceOf(TransactionClosedError);
    await expectCleanPool(pool, db);
  });

  test('client.end() would close the connection under the transaction: refused', async () => {
    await run(async () => {
      const client = await pool.connect();
      await add(client, 'a');
      expect(() => void client.end()).toThrow(expect.objectContaining({ code: 'TRANSACTION_CONTROL' }));
      client.release();
    });
    expect(await labelsIn(db)).toEqual(['a']);
    await expectCleanPool(pool, db);
  });
});
