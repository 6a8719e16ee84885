import { AsyncLocalStorage } from 'node:async_hooks';
import {
  afterCommit,
  currentTransaction,
  managePool,
  runInTransaction,
  runOutsideTransaction,
  unmanagePool,
} from 'holdfast';
import { gate, useEntries } from './entries.js';

const entries = useEntries();
const fail = (): never => {
  throw new Error('no');
};

test('it returns what the work returns: a value at once, a promise as it is', async () => {
  const promise = Promise.resolve(1);
  expect(runOutsideTransaction(() => 'value')).toBe('value');
  expect(runOutsideTransaction(() => promise)).toBe(promise);
  await runInTransaction(async () => {
    expect(runOutsideTransaction(() => 'value')).toBe('value');
    expect(runOutsideTransaction(() => promise)).toBe(promise);
  });
});

test('it lets through what the work throws', () => {
  expect(() => runOutsideTransaction(fail)).toThrow('no');
});

test('it refuses what is no function', () => {
  expect(() => runOutsideTransaction('work' as unknown as () => void)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
});

test('its statements commit by themselves, whatever becomes of the transaction', async () => {
  const call = runInTransaction(async () => {
    await entries.add('inside');
    await runOutsideTransaction(() => entries.add('outside'));
    expect(await entries.committed()).toEqual(['outside']);
    fail();
  });
  await expect(call).rejects.toThrow('no');
  expect(await entries.committed()).toEqual(['outside']);
});

test('the transaction is there again after it', async () => {
  await runInTransaction(async () => {
    const { id } = currentTransaction()!;
    await runOutsideTransaction(async () => expect(currentTransaction()).toBeUndefined());
    expect(currentTransaction()?.id).toBe(id);
  });
});

test('a transactional call inside begins a transaction of its own; inside of that it can be left again', async () => {
  const call = runInTransaction(async () => {
    await entries.add('outer');
    await runOutsideTransaction(() =>
      runInTransaction(
        async () => {
          expect(currentTransaction()?.name).toBe('inner');
          await entries.add('inner');
          await runOutsideTransaction(async () => {
            expect(currentTransaction()).toBeUndefined();
            await entries.add('innermost');
          });
          expect(await entries.committed()).toEqual(['innermost']);
        },
        { name: 'inner' },
      ),
    );
    fail();
  });
  await expect(call).rejects.toThrow('no');
  expect(await entries.committed()).toEqual(['inner', 'innermost']);
});

test('MANDATORY refuses inside, NEVER runs', async () => {
  await runInTransaction(() =>
    runOutsideTransaction(async () => {
      await expect(
        runInTransaction(() => entries.add('x'), { propagation: 'MANDATORY' }),
      ).rejects.toMatchObject({ code: 'PROPAGATION' });
      await runInTransaction(() => entries.add('never'), { propagation: 'NEVER' });
    }),
  );
  expect(await entries.committed()).toEqual(['never']);
});

test('a hook that is registered inside runs at once', async () => {
  const hook = jest.fn();
  await runInTransaction(async () => {
    runOutsideTransaction(() => afterCommit(hook));
    expect(hook).toHaveBeenCalledTimes(1);
  });
  expect(hook).toHaveBeenCalledTimes(1);
});

test('background work that it starts goes on after the transaction has ended', async () => {
  const ended = gate();
  let background!: Promise<void>;
  const call = runInTransaction(async () => {
    await entries.add('inside');
    runOutsideTransaction(() => {
      background = ended.opened.then(() => entries.add('background'));
    });
    fail();
  });
  await expect(call).rejects.toThrow('no');
  ended.open();
  await background;
  expect(await entries.committed()).toEqual(['background']);
});

test('other async contexts of the application are kept', async () => {
  const request = new AsyncLocalStorage<string>();
  await request.run('request 7', () =>
    runInTransaction(async () => {
      await runOutsideTransaction(async () => {
        await entries.add('outside');
        expect(request.getStore()).toBe('request 7');
      });
    }),
  );
});

test('it leaves the transactions of every data source', async () => {
  const other = entries.db.pool({ max: 2 });
  const managed = managePool(other, { name: 'reporting' });
  try {
    const call = runInTransaction(() =>
      runInTransaction(
        async () => {
          await runOutsideTransaction(async () => {
            expect(currentTransaction('default')).toBeUndefined();
            expect(currentTransaction('reporting')).toBeUndefined();
            await entries.add('default');
            await other.query("INSERT INTO entry (label) VALUES ('reporting')");
          });
          expect(currentTransaction('default')).toBeDefined();
          expect(currentTransaction('reporting')).toBeDefined();
          fail();
        },
        { dataSource: 'reporting' },
      ),
    );
    await expect(call).rejects.toThrow('no');
    expect(await entries.committed()).toEqual(['default', 'reporting']);
  } finally {
    unmanagePool(managed);
  }
});
