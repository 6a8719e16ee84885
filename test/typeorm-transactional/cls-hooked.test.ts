import { EventEmitter } from 'node:events';
import { createNamespace, getNamespace } from 'cls-hooked';
import { currentTransaction, InvalidOptionsError } from 'holdfast';
import * as api from 'holdfast/typeorm-transactional';
import { useWorld } from './world.js';

const world = useWorld(api, 'CLS_HOOKED');
const { runInTransaction } = api;
const insert = (message: string): Promise<unknown> => world.posts.insert({ message });
const namespace = () => getNamespace('@transactional/namespace')!;

describe('code that works on the namespace @transactional/namespace', () => {
  test('keeps its transaction through bind(), wherever the bound function is called', async () => {
    const waiting: (() => Promise<unknown>)[] = [];
    const call = runInTransaction(async () => {
      const bound = new Promise((resolve) => {
        waiting.push(namespace().bind(() => insert('bound').then(resolve)));
      });
      await bound;
      throw new Error('no');
    });
    await waiting[0]!();

    await expect(call).rejects.toThrow('no');
    expect(await world.committed()).toEqual([]);
  });

  test('keeps its transaction through bindEmitter()', async () => {
    const emitter = new EventEmitter();
    let bound!: () => void;
    const listening = new Promise<void>((resolve) => (bound = resolve));
    const call = runInTransaction(
      async () => {
        namespace().bindEmitter(emitter);
        const seen = new Promise((resolve) => emitter.on('row', () => resolve(currentTransaction()?.name)));
        bound();
        return seen;
      },
      { name: 'import' },
    );
    await listening;
    emitter.emit('row');

    expect(await call).toBe('import');
  });

  test('keeps its transaction inside run()', async () => {
    const call = runInTransaction(async () => {
      await namespace().runAndReturn(() => insert('a'));
      throw new Error('no');
    });

    await expect(call).rejects.toThrow('no');
    expect(await world.committed()).toEqual([]);
  });

  test('finds its own values in a transaction, and those of getTransactionalContext()', async () => {
    await namespace().runPromise(async () => {
      namespace().set('user', 'ada');
      await runInTransaction(async () => {
        await insert('a');
        expect([namespace().get('user'), api.getTransactionalContext().get('user')]).toEqual(['ada', 'ada']);
        api.getTransactionalContext().set('user', 'bob');
        expect(namespace().get('user')).toBe('bob');
      });
      expect(namespace().get('user')).toBe('ada');
    });
  });

  test('cannot set a value outside every context, where everybody would see it', () => {
    expect(() => namespace().set('user', 'ada')).toThrow(/not extensible/);
    expect([namespace().get('user'), api.getTransactionalContext().active]).toEqual([undefined, false]);
  });
});

test('another namespace of the application is left alone', async () => {
  const own = createNamespace('application');
  const seen = await own.runPromise(async () => {
    own.set('user', 'ada');
    return runInTransaction(async () => {
      await insert('a');
      return own.get('user') as unknown;
    });
  });
  expect(seen).toBe('ada');
});

test('an error that leaves a transaction carries no context: a logger would print it', async () => {
  const reason = new Error('no');
  const call = runInTransaction((): Promise<void> => {
    throw reason;
  });
  await expect(call).rejects.toBe(reason);
  expect(Object.keys(reason)).toEqual([]);
});

test('another storage than the one in use is refused', () => {
  expect(() =>
    api.initializeTransactionalContext({ storageDriver: api.StorageDriver.ASYNC_LOCAL_STORAGE }),
  ).toThrow(InvalidOptionsError);
});
