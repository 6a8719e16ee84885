import type { Frame } from '../../src/connection/context.js';
import { WaitGraph } from '../../src/connection/wait-graph.js';

const full = (): boolean => true;
const notFull = (): boolean => false;

function frame(parent?: Frame): Frame {
  return { parent, source: undefined, scope: undefined };
}

/** A frame that stands in a transaction, as seen from a branch that may be detached from it. */
class Requests {
  readonly graph = new WaitGraph();
  readonly refused: { who: string; message: string; code: string; retryable: boolean }[] = [];

  ask(who: string, of: Frame, isFull: () => boolean = full): () => void {
    return this.graph.waiting(
      {
        frame: of,
        pool: 'main',
        describe: `"${who}"`,
        refuse: ({ message, code, retryable }) => void this.refused.push({ who, message, code, retryable }),
      },
      isFull,
    );
  }

  get who(): string[] {
    return this.refused.map(({ who }) => who);
  }
}

/** Waiters are judged once the synchronous part of their caller is over. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let requests: Requests;
beforeEach(() => void (requests = new Requests()));

test('a waiter inside the only holder is refused, with what to do', async () => {
  const outer = frame();
  requests.graph.granted(outer, 'Outer.run', full);
  requests.ask('Inner.run', frame(outer));
  await settled();

  expect(requests.refused).toEqual([
    {
      who: 'Inner.run',
      code: 'SELF_DEADLOCK',
      retryable: true,
      message: expect.stringMatching(
        /"Inner\.run" needs one more connection of pool "main".*"Outer\.run".*raise the pool's max/,
      ) as unknown,
    },
  ]);
});

test('a waiter inside a holder is left alone while the pool is not full', async () => {
  const outer = frame();
  requests.graph.granted(outer, 'outer', notFull);
  requests.ask('inner', frame(outer), notFull);
  await settled();
  expect(requests.who).toEqual([]);
});

test('one holder without a waiter of its own is enough to wait for', async () => {
  const [first, second] = [frame(), frame()];
  requests.graph.granted(first, 'first', full);
  requests.graph.granted(second, 'second', full);
  requests.ask('inside first', frame(first));
  await settled();
  expect(requests.who).toEqual([]);

  requests.ask('inside second', frame(second));
  await settled();
  expect(requests.who).toEqual(['inside second']);
});

test('after one is refused, the others wait on', async () => {
  const frames = [frame(), frame(), frame()];
  for (const [index, holder] of frames.entries()) requests.graph.granted(holder, `holder ${index}`, full);
  for (const [index, holder] of frames.entries()) requests.ask(`waiter ${index}`, frame(holder));
  await settled();
  expect(requests.who).toHaveLength(1);
});

test('a waiter outside every holder is no part of a deadlock, and is never the one refused', async () => {
  const holder = frame();
  requests.graph.granted(holder, 'holder', full);
  requests.ask('bystander', frame());
  await settled();
  expect(requests.who).toEqual([]);

  requests.ask('inside', frame(holder));
  requests.ask('late bystander', frame());
  await settled();
  expect(requests.who).toEqual(['inside']);
});

test('a waiter blocks every holder around it', async () => {
  const outer = frame();
  const middle = frame(frame(outer));
  requests.graph.granted(outer, 'outer', full);
  requests.graph.granted(middle, 'middle', full);
  requests.ask('innermost', frame(frame(middle)));
  await settled();
  expect(requests.who).toEqual(['innermost']);
  expect(requests.refused[0]!.message).toContain('"outer", "middle"');
});

test('a waiter that was served before the judgement is not refused', async () => {
  const outer = frame();
  requests.graph.granted(outer, 'outer', full);
  const served = requests.ask('inner', frame(outer));
  served();
  await settled();
  expect(requests.who).toEqual([]);
});

test('a waiter is served when a holder gives back before the judgement', async () => {
  const [first, second] = [frame(), frame()];
  requests.graph.granted(first, 'first', full);
  requests.graph.granted(second, 'second', full);
  let isFull = true;
  requests.ask('inside first', frame(first), () => isFull);
  requests.ask('inside second', frame(second), () => isFull);
  requests.graph.returned(second);
  isFull = false;
  await settled();
  expect(requests.who).toEqual([]);
  expect(requests.graph.held).toBe(1);
});

test('the last connection going to a transaction that already waits completes the deadlock', () => {
  const [first, second] = [frame(), frame()];
  requests.graph.granted(first, 'first', notFull);
  requests.ask('inside first', frame(first), notFull);
  requests.ask('inside second', frame(second), notFull);
  requests.graph.granted(second, 'second', full);
  expect(requests.who).toEqual(['inside second']);
});

test('a refused waiter is out of the graph', async () => {
  const outer = frame();
  requests.graph.granted(outer, 'outer', full);
  requests.ask('once', frame(outer));
  await settled();
  requests.graph.granted(frame(outer), 'another', full);
  await settled();
  expect(requests.who).toEqual(['once']);
});

test('held counts transactions that hold a connection', () => {
  const [first, second] = [frame(), frame()];
  requests.graph.granted(first, 'first', notFull);
  requests.graph.granted(second, 'second', notFull);
  expect(requests.graph.held).toBe(2);
  requests.graph.returned(first);
  requests.graph.returned(first);
  expect(requests.graph.held).toBe(1);
});
