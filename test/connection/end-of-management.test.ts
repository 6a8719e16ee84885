import type { Pool } from 'pg';
import Cursor from 'pg-cursor';
import {
  currentTransaction,
  DuplicateDataSourceError,
  managePool,
  PoolEndedError,
  runInTransaction,
  runOutsideTransaction,
  unmanagePool,
  UnknownDataSourceError,
  type ManagedPool,
  type Propagation,
} from 'holdfast';
import { manageReplica } from '../../src/connection/index.js';
import { signal, until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { describeInstance } from './inspect.js';

const db = useDatabase();
let pool: Pool;
let managed: ManagedPool;
beforeEach(() => {
  pool = db.pool({ max: 2 });
  managed = managePool(pool);
});
afterEach(async () => {
  unmanagePool(managed);
  await db.truncate();
});

const insert = (label: string, into: Pool = pool): Promise<unknown> =>
  into.query('INSERT INTO entry (label) VALUES ($1)', [label]);
const labels = async (): Promise<string[]> =>
  (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);

/** What takes a pool away from its data source. */
const endings: readonly (readonly [name: string, end: () => void, refusal: { readonly code: string }])[] = [
  ['unmanagePool()', () => unmanagePool(managed), UnknownDataSourceError],
  ['pool.end()', () => void pool.end(), PoolEndedError],
];

describe.each(endings)('%s while a transaction runs', (_name, end, refusal) => {
  test('its later statements are still part of it', async () => {
    const running = runInTransaction(async () => {
      await insert('before');
      end();
      await insert('after');
      const client = await pool.connect();
      await client.query("INSERT INTO entry (label) VALUES ('through a client')");
      client.release();
      throw new Error('undo it all');
    });

    await expect(running).rejects.toThrow('undo it all');
    expect(await labels()).toEqual([]);
  });

  test.each<[Propagation, string[]]>([
    ['REQUIRED', ['outer', 'inner']],
    ['NESTED', ['outer', 'inner']],
    ['MANDATORY', ['outer', 'inner']],
    ['SUPPORTS', ['outer', 'inner']],
  ])('an inner %s call joins it', async (propagation, expected) => {
    await runInTransaction(async () => {
      await insert('outer');
      end();
      await runInTransaction(() => insert('inner'), { propagation });
      expect(await labels()).toEqual([]);
    });

    expect(await labels()).toEqual(expected);
  });

  test('an inner NEVER is refused, and currentTransaction() finds it by its name', async () => {
    await runInTransaction(
      async () => {
        await insert('outer');
        end();
        const never = runInTransaction(() => insert('inner'), { propagation: 'NEVER' });
        await expect(never).rejects.toMatchObject({ code: 'PROPAGATION' });
        expect(currentTransaction('default')?.name).toBe('outer');
      },
      { name: 'outer' },
    );

    expect(await labels()).toEqual(['outer']);
  });

  test('a new transaction is refused, also inside it', async () => {
    await runInTransaction(async () => {
      await insert('outer');
      end();
      const independent = runInTransaction(() => insert('inner'), { propagation: 'REQUIRES_NEW' });
      await expect(independent).rejects.toMatchObject({ code: refusal.code });
    });
    const later = runInTransaction(() => insert('later'));
    await expect(later).rejects.toMatchObject({ code: refusal.code });

    expect(await labels()).toEqual(['outer']);
  });
});

describe('unmanagePool() while transactions run', () => {
  test('a transaction that has sent no statement yet is one of them', async () => {
    const running = runInTransaction(async () => {
      unmanagePool(managed);
      await insert('first');
      throw new Error('undo it');
    });

    await expect(running).rejects.toThrow('undo it');
    expect(await labels()).toEqual([]);
  });

  test('the instance is as it was once the last of them has ended', async () => {
    const other = db.pool({ max: 2 });
    const before = describeInstance(other);
    const handle = managePool(other, { name: 'other' });
    const [first, second] = [signal(), signal()];
    const began = signal();
    const running = [first, second].map((gate, index) =>
      runInTransaction(
        async () => {
          await insert('kept', other);
          if (index === 1) began.send();
          await gate.sent;
          await insert('kept', other);
        },
        { dataSource: 'other' },
      ),
    );
    await began.sent;
    unmanagePool(handle);
    unmanagePool(handle);
    first.send();
    await running[0];
    expect(Object.hasOwn(other, 'query')).toBe(true);
    second.send();
    await running[1];

    expect(Object.keys(describeInstance(other)).toSorted()).toEqual(Object.keys(before).toSorted());
    expect(await labels()).toHaveLength(4);
  });

  test('work outside of them commits by itself, as on an unmanaged pool', async () => {
    await expect(
      runInTransaction(async () => {
        await insert('undone');
        unmanagePool(managed);
        await runOutsideTransaction(() => insert('kept'));
        throw new Error('undo it');
      }),
    ).rejects.toThrow('undo it');

    expect(await labels()).toEqual(['kept']);
  });

  test('a replica stays with the read-only transaction that runs on it', async () => {
    const replica = db.pool({ max: 1 });
    const handle = manageReplica(replica, managed);
    await runInTransaction(
      async () => {
        const pid = async (): Promise<unknown> => (await pool.query('SELECT pg_backend_pid()')).rows[0];
        const before = await pid();
        unmanagePool(managed);
        expect(await pid()).toEqual(before);
        expect(handle.leases()).toHaveLength(1);
      },
      { readOnly: true },
    );
    expect(Object.hasOwn(replica, 'query')).toBe(false);
  });

  test('managed again meanwhile, it goes on as if nothing had happened', async () => {
    await runInTransaction(async () => {
      await insert('first');
      unmanagePool(managed);
      expect(managePool(pool)).toBe(managed);
      await runInTransaction(() => insert('second'));
      await runInTransaction(() => insert('third'), { propagation: 'REQUIRES_NEW' });
      expect(await labels()).toEqual(['third']);
    });
    await expect(
      runInTransaction(async () => {
        await insert('undone');
        throw new Error('undo it');
      }),
    ).rejects.toThrow('undo it');

    expect((await labels()).toSorted()).toEqual(['first', 'second', 'third']);
  });

  test('meanwhile it cannot be managed under another name', async () => {
    await runInTransaction(async () => {
      await insert('first');
      unmanagePool(managed);
      expect(() => managePool(pool, { name: 'other' })).toThrow(DuplicateDataSourceError);
    });
    unmanagePool(managePool(pool, { name: 'other' }));
  });
});

describe('pool.end() and transactions that wait for a connection', () => {
  test('the end refuses them, as pg-pool would never serve them', async () => {
    const listeners = pool.listenerCount('remove');
    const clients = [await pool.connect(), await pool.connect()];
    const waiting = ['first', 'second'].map((name) => runInTransaction(() => insert(name), { name }));
    await until('both to wait', () => pool.waitingCount === 2);
    const ended = pool.end();
    for (const client of clients) client.release();

    for (const [index, call] of waiting.entries()) {
      await expect(call).rejects.toMatchObject({
        code: PoolEndedError.code,
        message: expect.stringContaining(
          `"${['first', 'second'][index]}" needs a connection of pool "default"`,
        ),
      });
    }
    await ended;
    expect(pool.listenerCount('remove')).toBe(listeners);
  });

  test('a transaction that has sent no statement yet is refused at its first', async () => {
    const running = runInTransaction(async () => {
      void pool.end();
      await insert('never');
    });
    await expect(running).rejects.toMatchObject({ code: PoolEndedError.code });
    expect(await labels()).toEqual([]);
  });
});

describe('a pool that takes the name over while a transaction of the former one runs', () => {
  let successor: Pool;
  let next: ManagedPool | undefined;
  const takeOver = (): void => {
    unmanagePool(managed);
    next = managePool(successor);
  };
  beforeEach(() => {
    successor = db.pool({ max: 2 });
  });
  afterEach(() => next && unmanagePool(next));

  const refused = expect.stringMatching(/Another pool is managed as "default".*not sent/) as unknown;

  test.each<[string, () => Promise<unknown>]>([
    ['query()', () => insert('lost', successor)],
    [
      'query(callback)',
      () =>
        new Promise((resolve, reject) =>
          successor.query('SELECT 1', (error) => (error ? reject(error) : resolve(1))),
        ),
    ],
    ['connect()', () => successor.connect()],
    [
      'connect(callback)',
      () =>
        new Promise((resolve, reject) => successor.connect((error) => (error ? reject(error) : resolve(1)))),
    ],
    ['a cursor', () => successor.query(new Cursor('SELECT 1')).read(1)],
  ])('its %s is refused there: it would commit by itself', async (_style, ask) => {
    await runInTransaction(
      async () => {
        await insert('kept');
        takeOver();
        await expect(ask()).rejects.toMatchObject({ code: DuplicateDataSourceError.code, message: refused });
        await runInTransaction(() => insert('kept too'));
      },
      { name: 'outer' },
    );
    expect(await labels()).toEqual(['kept', 'kept too']);
    expect(successor.totalCount).toBe(0);
  });

  test('a method that goes on after its transaction was ended does not reach it either', async () => {
    let late: Promise<unknown> | undefined;
    const gate = signal();
    await runInTransaction(
      async () => {
        await insert('kept');
        late = gate.sent.then(() => insert('lost', successor));
      },
      { name: 'outer' },
    );
    takeOver();
    gate.send();
    await expect(late).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await labels()).toEqual(['kept']);
  });

  test('it serves new transactions, inside the other one and beside it', async () => {
    await runInTransaction(async () => {
      await insert('outer');
      takeOver();
      await runInTransaction(() => insert('inner', successor), { propagation: 'REQUIRES_NEW' });
      await runOutsideTransaction(() => insert('outside', successor));
      expect(await labels()).toEqual(['inner', 'outside']);
    });
    await runInTransaction(() => insert('after', successor));
    expect((await labels()).toSorted()).toEqual(['after', 'inner', 'outer', 'outside']);
  });
});
