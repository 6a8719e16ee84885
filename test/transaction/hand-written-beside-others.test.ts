import 'reflect-metadata';
import {
  afterCommit,
  afterRollback,
  managePool,
  runInTransaction,
  SavepointOrderError,
  UnexpectedRollbackError,
  unmanagePool,
} from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let dataSource: DataSource;
let pool: Pool;

beforeEach(async () => {
  dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 2 }).initialize();
  pool = manageDataSource(dataSource).primary.native as Pool;
});
afterEach(async () => {
  await dataSource.destroy();
  await db.truncate();
});

const labels = async (): Promise<string[]> =>
  (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);
const insert = (label: string): string => `INSERT INTO entry (label) VALUES ('${label}')`;

/** What hand-written code works with: begin, a statement of its own, and the two ends. */
interface ByHand {
  begin(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
  release(): Promise<void> | void;
}

const waysIn: Record<string, () => Promise<ByHand>> = {
  async 'a client of pool.connect()'() {
    const client = await pool.connect();
    return {
      begin: () => client.query('BEGIN'),
      query: (text) => client.query(text),
      commit: () => client.query('COMMIT'),
      rollback: () => client.query('ROLLBACK'),
      release: () => client.release(),
    };
  },
  async 'a QueryRunner'() {
    const runner = dataSource.createQueryRunner();
    return {
      begin: () => runner.startTransaction(),
      query: (text) => runner.query(text),
      commit: () => runner.commitTransaction(),
      rollback: () => runner.rollbackTransaction(),
      release: () => runner.release(),
    };
  },
  async "a QueryRunner's manager"() {
    const runner = dataSource.createQueryRunner();
    return {
      begin: () => runner.startTransaction(),
      query: (text) => runner.manager.query(text),
      commit: () => runner.commitTransaction(),
      rollback: () => runner.rollbackTransaction(),
      release: () => runner.release(),
    };
  },
};

describe.each(Object.keys(waysIn))('a hand-written transaction on %s', (way) => {
  /** Begins, does `beside` between its own two statements, and ends. */
  async function byHand(
    end: 'commit' | 'rollback',
    beside: () => Promise<unknown> = async () => {},
  ): Promise<void> {
    const hand = await waysIn[way]!();
    await hand.begin();
    await hand.query(insert('hand 1'));
    await beside();
    await hand.query(insert('hand 2'));
    await hand[end]();
    await hand.release();
  }

  test('undoes what it did itself, and no more, when it rolls back', async () => {
    await runInTransaction(async () => {
      await pool.query(insert('before'));
      await byHand('rollback');
      await dataSource.query(insert('after'));
    });
    expect(await labels()).toEqual(['before', 'after']);
  });

  test('keeps everything when it commits, its own and what came beside it', async () => {
    await runInTransaction(() => byHand('commit', () => pool.query(insert('beside'))));
    expect(await labels()).toEqual(['hand 1', 'beside', 'hand 2']);
  });

  const strangers: Record<string, () => Promise<unknown>> = {
    'pool.query()': () => pool.query(insert('beside')),
    'dataSource.query()': () => dataSource.query(insert('beside')),
    'another QueryRunner': async () => {
      const runner = dataSource.createQueryRunner();
      await runner.query(insert('beside'));
      await runner.release();
    },
    'another hand-written transaction': async () => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query(insert('beside'));
      await client.query('COMMIT');
      client.release();
    },
    'a NESTED call': () => runInTransaction(() => pool.query(insert('beside')), { propagation: 'NESTED' }),
    'a NESTED call that has a name of several words': () =>
      runInTransaction(() => pool.query(insert('beside')), { propagation: 'NESTED', name: 'order of pens' }),
    'a REQUIRED call': () => runInTransaction(() => dataSource.query(insert('beside'))),
  };

  test.each(Object.keys(strangers))(
    'that rolls back cannot take what %s was told is done: the transaction is refused',
    async (stranger) => {
      const told: string[] = [];
      const call = runInTransaction(async () => {
        await byHand('rollback', async () => {
          afterCommit(() => void told.push('committed'));
          afterRollback(() => void told.push('rolled back'));
          await strangers[stranger]!();
        });
        return 'resolved';
      });
      const error = await call.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UnexpectedRollbackError);
      expect((error as Error).message).toMatch(
        /hand-written .* inside it was rolled back, and took work with it that was asked for elsewhere meanwhile \((?:"[^"]+"|[^"]+)\)/,
      );
      expect(told).toEqual(['rolled back']);
      expect(await labels()).toEqual([]);
    },
  );

  test.each(Object.keys(strangers))(
    'that rolls back beside %s, at once, loses nothing in silence',
    async (stranger) => {
      const outcome = await runInTransaction(async () => {
        await Promise.all([byHand('rollback', () => pool.query('SELECT 1')), strangers[stranger]!()]);
        return 'resolved';
      }).catch((error: Error) => error.name);
      // Which of the two comes first is not ours to say; that the row is there, or its loss is told, is.
      const rows = await labels();
      expect([
        { outcome: 'resolved', rows: ['beside'] },
        { outcome: 'UnexpectedRollbackError', rows: [] },
      ]).toContainEqual({ outcome, rows });
    },
  );

  test('may read through another way in and roll back', async () => {
    await runInTransaction(async () => {
      await byHand('rollback', () => dataSource.query('SELECT count(*) FROM entry'));
      await pool.query(insert('after'));
    });
    expect(await labels()).toEqual(['after']);
  });

  test('that rolls back after a stranger in it has failed, and was told so, loses nothing', async () => {
    await runInTransaction(async () => {
      const hand = await waysIn[way]!();
      await hand.begin();
      await expect(pool.query('SELECT 1/0 AS nothing')).rejects.toThrow('division by zero');
      await hand.rollback();
      await hand.release();
      await pool.query(insert('after'));
    });
    expect(await labels()).toEqual(['after']);
  });

  test('inside NESTED that takes a stranger with it fails that scope alone', async () => {
    await runInTransaction(async () => {
      await pool.query(insert('outer'));
      const nested = runInTransaction(() => byHand('rollback', () => pool.query(insert('beside'))), {
        propagation: 'NESTED',
      });
      await expect(nested).rejects.toBeInstanceOf(UnexpectedRollbackError);
    });
    expect(await labels()).toEqual(['outer']);
  });

  test('whose COMMIT fails can still be rolled back, and the transaction goes on', async () => {
    await runInTransaction(async () => {
      await pool.query(insert('before'));
      const hand = await waysIn[way]!();
      await hand.begin();
      await expect(hand.query('SELECT 1/0')).rejects.toThrow('division by zero');
      await expect(hand.commit()).rejects.toMatchObject({ code: '25P02' });
      await hand.rollback();
      await hand.release();
      await pool.query(insert('after'));
    });
    expect(await labels()).toEqual(['before', 'after']);
  });

  test('cannot end inside a NESTED call that began after it: it is refused at once, and can end outside', async () => {
    await runInTransaction(async () => {
      const hand = await waysIn[way]!();
      await hand.begin();
      await hand.query(insert('hand'));
      await runInTransaction(
        async () => {
          await pool.query(insert('nested'));
          await expect(hand.commit()).rejects.toBeInstanceOf(SavepointOrderError);
        },
        { propagation: 'NESTED' },
      );
      await hand.commit();
      await hand.release();
    });
    expect(await labels()).toEqual(['hand', 'nested']);
  });

  test('that is open in itself ends inside out', async () => {
    await runInTransaction(async () => {
      const hand = await waysIn[way]!();
      await hand.begin();
      await hand.query(insert('outer'));
      await hand.begin();
      await hand.query(insert('inner'));
      await hand.rollback();
      await hand.commit();
      await hand.release();
    });
    expect(await labels()).toEqual(['outer']);
  });

  test('that its release() finds open, twice nested, is rolled back from the inside out', async () => {
    await runInTransaction(async () => {
      await pool.query(insert('before'));
      const hand = await waysIn[way]!();
      await hand.begin();
      await hand.query(insert('outer'));
      await hand.begin();
      await hand.query(insert('inner'));
      await hand.release();
      await pool.query(insert('after'));
    });
    expect(await labels()).toEqual(['before', 'after']);
  });
});

test('BEGIN, statements and ROLLBACK that one client is asked for without waiting run in that order', async () => {
  await runInTransaction(async () => {
    const client = await pool.connect();
    await Promise.all([
      client.query('BEGIN'),
      client.query(insert('inside')),
      client.query('ROLLBACK'),
      client.query(insert('behind')),
    ]);
    client.release();
  });
  expect(await labels()).toEqual(['behind']);
});

test('a QueryRunner that was released begins no transaction', async () => {
  await runInTransaction(async () => {
    const runner = dataSource.createQueryRunner();
    await runner.release();
    await expect(runner.startTransaction()).rejects.toMatchObject({ code: 'STALE_LEASE' });
    await expect(runner.query('SELECT 1')).rejects.toThrow(/released/i);
  });
});

test('releasing the QueryRunner inside dataSource.transaction() leaves the transaction around it alone', async () => {
  await runInTransaction(async () => {
    await dataSource.transaction(async (manager) => {
      await manager.query(insert('inside'));
      await manager.queryRunner!.release();
    });
    await dataSource.query(insert('after'));
  });
  expect(await labels()).toEqual(['inside', 'after']);
});

test('a raw pool managed by itself is held to the same', async () => {
  const own = db.pool({ max: 1 });
  const managed = managePool(own, { name: 'own' });
  try {
    const call = runInTransaction(
      async () => {
        const client = await own.connect();
        await client.query('BEGIN');
        await own.query(insert('stranger'));
        await client.query('ROLLBACK');
        client.release();
      },
      { dataSource: 'own' },
    );
    await expect(call).rejects.toBeInstanceOf(UnexpectedRollbackError);
  } finally {
    unmanagePool(managed);
  }
});
