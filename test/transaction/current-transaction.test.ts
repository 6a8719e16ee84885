import { currentTransaction, type CurrentTransaction, runInTransaction } from 'holdfast';
import { useEntries } from './entries.js';

const entries = useEntries();
const nested = { propagation: 'NESTED' } as const;

test('it is undefined outside a transaction', () => {
  expect(currentTransaction()).toBeUndefined();
  expect(currentTransaction('default')).toBeUndefined();
});

test('it describes the transaction with the defaults', async () => {
  await runInTransaction(
    async () => {
      expect(currentTransaction()).toEqual({
        id: expect.stringMatching(/^tx-/),
        name: 'Orders.place',
        dataSource: 'default',
        depth: 1,
        readOnly: false,
        isolationLevel: undefined,
        setRollbackOnly: expect.any(Function),
      });
    },
    { name: 'Orders.place' },
  );
});

test('it says what the transaction was asked for', async () => {
  await runInTransaction(
    async () => {
      expect(currentTransaction('default')).toMatchObject({ readOnly: true, isolationLevel: 'SERIALIZABLE' });
    },
    { readOnly: true, isolationLevel: 'SERIALIZABLE' },
  );
});

test('it is frozen', async () => {
  await runInTransaction(async () => {
    expect(Object.isFrozen(currentTransaction())).toBe(true);
  });
});

test('a joined method sees the transaction that it joined, under the name of the method that began it', async () => {
  await runInTransaction(
    async () => {
      const outer = currentTransaction()!;
      await runInTransaction(
        async () => {
          const { id, name, depth } = currentTransaction()!;
          expect({ id, name, depth }).toEqual({ id: outer.id, name: 'Orders.place', depth: 1 });
        },
        { name: 'Stock.take' },
      );
    },
    { name: 'Orders.place' },
  );
});

test('the depth counts the savepoints around the call', async () => {
  const depths: (number | undefined)[] = [];
  const note = (): void => void depths.push(currentTransaction()?.depth);
  await runInTransaction(async () => {
    note();
    await runInTransaction(async () => {
      note();
      await runInTransaction(async () => note(), nested);
      await runInTransaction(async () => note());
    }, nested);
    note();
  });
  expect(depths).toEqual([1, 2, 3, 2, 1]);
});

test('every transaction, REQUIRES_NEW too, has an id of its own; its savepoints share it', async () => {
  const ids: (string | undefined)[] = [];
  const note = async (): Promise<void> => void ids.push(currentTransaction()?.id);
  await runInTransaction(async () => {
    await note();
    await runInTransaction(note, nested);
    await runInTransaction(note, { propagation: 'REQUIRES_NEW' });
  });
  await runInTransaction(note);
  expect(ids[1]).toBe(ids[0]);
  expect(new Set(ids).size).toBe(3);
});

test('it is undefined inside NOT_SUPPORTED, and there again afterwards', async () => {
  await runInTransaction(async () => {
    const { id } = currentTransaction()!;
    await runInTransaction(
      async () => {
        expect(currentTransaction()).toBeUndefined();
        expect(currentTransaction('default')).toBeUndefined();
      },
      { propagation: 'NOT_SUPPORTED' },
    );
    expect(currentTransaction()?.id).toBe(id);
  });
});

test('it is undefined once the transaction has ended, in work that is still on its way', async () => {
  let late!: Promise<CurrentTransaction | undefined>;
  let goOn = (): void => undefined;
  await runInTransaction(async () => {
    late = new Promise<void>((resolve) => (goOn = resolve)).then(() => currentTransaction());
  });
  goOn();
  expect(await late).toBeUndefined();
});

test('branches that run at once each see their own', async () => {
  const branch = (name: string, propagation: 'NESTED' | 'REQUIRES_NEW' | 'REQUIRED') =>
    runInTransaction(
      async () => {
        await entries.add(name);
        const { name: own, depth } = currentTransaction()!;
        return [own, depth];
      },
      { name, propagation },
    );
  await runInTransaction(
    async () => {
      expect(
        await Promise.all([
          branch('nested', 'NESTED'),
          branch('own', 'REQUIRES_NEW'),
          branch('joined', 'REQUIRED'),
        ]),
      ).toEqual([
        ['outer', 2],
        ['own', 1],
        ['outer', 1],
      ]);
    },
    { name: 'outer' },
  );
});

describe('setRollbackOnly()', () => {
  test('in the opening method: everything is rolled back, and the caller gets the returned value', async () => {
    const result = await runInTransaction(async () => {
      await entries.add('a');
      currentTransaction()!.setRollbackOnly();
      await entries.add('b');
      return 'the value';
    });
    expect(result).toBe('the value');
    expect(await entries.committed()).toEqual([]);
  });

  test('in a joined method: the opening method rejects, naming the method that asked', async () => {
    const call = runInTransaction(
      async () => {
        await entries.add('a');
        await runInTransaction(async () => currentTransaction()!.setRollbackOnly(), { name: 'Stock.take' });
      },
      { name: 'Orders.place' },
    );
    await expect(call).rejects.toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringMatching(/^"Orders\.place" returned, but .*"Stock\.take"/),
    });
    expect(await entries.committed()).toEqual([]);
  });

  test('in a nested scope: its savepoint alone is rolled back, and its caller gets the returned value', async () => {
    const result = await runInTransaction(async () => {
      await entries.add('outer');
      return runInTransaction(async () => {
        await entries.add('inner');
        currentTransaction()!.setRollbackOnly();
        return 'the value';
      }, nested);
    });
    expect(result).toBe('the value');
    expect(await entries.committed()).toEqual(['outer']);
  });

  test('in a method that joined a nested scope: the nested call rejects, the outer work is kept', async () => {
    await runInTransaction(async () => {
      await entries.add('outer');
      const call = runInTransaction(
        async () => {
          await entries.add('inner');
          await runInTransaction(async () => currentTransaction()!.setRollbackOnly(), { name: 'Stock.take' });
        },
        { ...nested, name: 'Orders.reserve' },
      );
      await expect(call).rejects.toMatchObject({
        code: 'UNEXPECTED_ROLLBACK',
        message: expect.stringMatching(/^"Orders\.reserve" returned, but .*"Stock\.take"/),
      });
    });
    expect(await entries.committed()).toEqual(['outer']);
  });

  test('without any statement it borrows no connection', async () => {
    await runInTransaction(async () => currentTransaction()!.setRollbackOnly());
    expect(entries.pool.totalCount).toBe(0);
  });

  test('after the transaction has ended it is refused: it could change nothing', async () => {
    const kept = await runInTransaction(async () => {
      await entries.add('a');
      return currentTransaction()!;
    });
    expect(() => kept.setRollbackOnly()).toThrow(expect.objectContaining({ code: 'TRANSACTION_CLOSED' }));
    expect(await entries.committed()).toEqual(['a']);
  });
});
