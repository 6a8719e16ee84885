import { AsyncLocalStorage } from 'node:async_hooks';
import { Lane, StatementQueue } from '../../src/transaction/statement-queue.js';
import { gate } from './entries.js';

const nothing = async (): Promise<void> => undefined;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is asked for while another statement runs waits, and runs in the order of asking', async () => {
  const root = new Lane('lane');
  const queue = new StatementQueue(root);
  const [first, events] = [gate(), [] as string[]];
  const all = [
    queue.submit(root, async () => {
      events.push('1 begins');
      await first.opened;
      events.push('1 ends');
    }),
    queue.submit(root, async () => void events.push('2')),
    queue.submit(root, async () => void events.push('3')),
  ];
  await turn();
  expect(events).toEqual(['1 begins']);
  first.open();
  await Promise.all(all);
  expect(events).toEqual(['1 begins', '1 ends', '2', '3']);
});

test('a failure is its asker’s alone', async () => {
  const root = new Lane('lane');
  const queue = new StatementQueue(root);
  const failed = queue.submit(root, () => Promise.reject(new Error('no')));
  const next = queue.submit(root, async () => 'next');
  await expect(failed).rejects.toThrow('no');
  await expect(next).resolves.toBe('next');
});

test('while an inner lane is open the outer ones wait; they go on when it has left', async () => {
  const [root, inner] = [new Lane('lane'), new Lane('lane')];
  const queue = new StatementQueue(root);
  const events: string[] = [];
  const note = (name: string) => async (): Promise<void> => void events.push(name);
  await queue.submit(root, async () => queue.enter(inner));
  const outer = queue.submit(root, note('outer'));
  await queue.submit(inner, note('inner 1'));
  await queue.submit(inner, note('inner 2'));
  expect(events).toEqual(['inner 1', 'inner 2']);
  queue.leave(inner);
  await outer;
  expect(events).toEqual(['inner 1', 'inner 2', 'outer']);
});

test('a lane that has not been entered yet keeps what it is asked for', async () => {
  const [root, inner] = [new Lane('lane'), new Lane('lane')];
  const queue = new StatementQueue(root);
  const early = queue.submit(inner, async () => 'early');
  await queue.submit(root, async () => queue.enter(inner));
  await expect(early).resolves.toBe('early');
});

test('refuse() rejects what waits in a lane and inside it, and nothing outside', async () => {
  const [root, inner, innermost] = [new Lane('lane'), new Lane('lane'), new Lane('lane')];
  const queue = new StatementQueue(root);
  await queue.submit(root, async () => queue.enter(inner));
  await queue.submit(inner, async () => queue.enter(innermost));
  const held = gate();
  const running = queue.submit(innermost, () => held.opened);
  const refused = [queue.submit(inner, nothing), queue.submit(innermost, nothing)];
  const kept = queue.submit(root, async () => 'kept');

  queue.refuse(inner, () => new Error('refused'));
  for (const call of refused) await expect(call).rejects.toThrow('refused');
  held.open();
  await running;
  queue.leave(inner);
  await expect(kept).resolves.toBe('kept');
});

test('drained() waits for what runs and for what waits in the innermost lane', async () => {
  const root = new Lane('lane');
  const queue = new StatementQueue(root);
  const [first, second] = [gate(), gate()];
  let isDrained = false;
  void queue.submit(root, () => first.opened);
  void queue.submit(root, () => second.opened);
  const drained = queue.drained().then(() => (isDrained = true));
  first.open();
  await turn();
  expect(isDrained).toBe(false);
  second.open();
  await drained;
  await expect(queue.drained()).resolves.toBeUndefined();
});

test('alone() runs when nothing runs or waits, and what is asked for meanwhile comes after it', async () => {
  const root = new Lane('lane');
  const queue = new StatementQueue(root);
  const [held, events] = [gate(), [] as string[]];
  const note = (name: string) => async (): Promise<void> => void events.push(name);
  const before = queue.submit(root, async () => {
    await held.opened;
    events.push('before');
  });
  const alone = queue.alone(async () => {
    events.push('alone begins');
    await turn();
    events.push('alone ends');
  });
  const waiting = queue.submit(root, note('waiting'));
  held.open();
  await before;
  await waiting;
  await turn();
  const after = queue.submit(root, note('after'));
  await Promise.all([alone, after]);
  expect(events).toEqual(['before', 'waiting', 'alone begins', 'alone ends', 'after']);
});

test('a statement that waited runs in its asker’s async context', async () => {
  const storage = new AsyncLocalStorage<string>();
  const root = new Lane('lane');
  const queue = new StatementQueue(root);
  const held = gate();
  void storage.run('first', () => queue.submit(root, () => held.opened));
  const seen = storage.run('second', () => queue.submit(root, async () => storage.getStore()));
  held.open();
  await expect(seen).resolves.toBe('second');
});
