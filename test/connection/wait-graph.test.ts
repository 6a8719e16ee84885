import type { Frame } from '../../src/connection/context.js';
import { type Holder, type WaitedPool, WaitGraph } from '../../src/connection/wait-graph.js';

function frame(parent?: Frame): Frame {
  return { parent, source: undefined, scope: undefined };
}

/** A pool of so many connections, all of them open. */
function poolOf(size: number, name = 'main'): WaitedPool & { size: number } {
  return {
    name,
    size,
    isFilledBy(connections) {
      return connections >= this.size;
    },
  };
}

/** The requests that were made of a graph, and what became of them. */
class Requests {
  readonly graph = new WaitGraph();
  readonly refused: { who: string; message: string; code: string; retryable: boolean }[] = [];
  readonly busy = new Set<Frame>();
  readonly #holders = new Map<Frame, Holder>();

  grant(name: string, pool: WaitedPool, of: Frame = frame()): Frame {
    const holder: Holder = { name, pool, frame: of, isBusy: () => this.busy.has(of) };
    this.#holders.set(of, holder);
    this.graph.granted(holder);
    return of;
  }

  giveBack(of: Frame): void {
    this.graph.returned(this.#holders.get(of)!);
  }

  ask(who: string, pool: WaitedPool, of: Frame): () => void {
    const refuse = ({ message, code, retryable }: Error & { code: string; retryable: boolean }): void =>
      void this.refused.push({ who, message, code, retryable });
    return this.graph.waiting({ frame: frame(of), pool, describe: `"${who}"`, refuse });
  }

  get who(): string[] {
    return this.refused.map(({ who }) => who);
  }
}

/** The graph judges in the next turn of the event loop, and after a refusal once more. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

let requests: Requests;
beforeEach(() => void (requests = new Requests()));

describe('one pool', () => {
  test('a waiter inside the only holder is refused, with what to do', async () => {
    const pool = poolOf(1);
    requests.ask('Inner.run', pool, requests.grant('Outer.run', pool));
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

  test('a waiter inside a holder is left alone while a connection is lent to somebody else', async () => {
    const pool = poolOf(2);
    requests.ask('inner', pool, requests.grant('outer', pool));
    await settled();
    expect(requests.who).toEqual([]);
  });

  test('one holder without a waiter of its own is enough to wait for', async () => {
    const pool = poolOf(2);
    const [first, second] = [requests.grant('first', pool), requests.grant('second', pool)];
    requests.ask('inside first', pool, first);
    await settled();
    expect(requests.who).toEqual([]);

    requests.ask('inside second', pool, second);
    await settled();
    expect(requests.who).toHaveLength(1);
  });

  test('each waiter of a method that waits for all of them, whatever becomes of the others, is refused', async () => {
    const pool = poolOf(1);
    const outer = requests.grant('outer', pool);
    for (const who of ['first', 'second', 'third']) requests.ask(who, pool, outer);
    await settled();
    expect(requests.who.toSorted()).toEqual(['first', 'second', 'third']);
  });

  test('after one is refused, those whose holders can go on are left alone', async () => {
    const pool = poolOf(3);
    const frames = ['1', '2', '3'].map((name) => requests.grant(`holder ${name}`, pool));
    for (const [index, holder] of frames.entries()) {
      // Whoever is refused rolls back, which is a statement.
      const refuse = (): void => {
        requests.refused.push({ who: `waiter ${index}`, message: '', code: '', retryable: true });
        requests.busy.add(holder);
      };
      requests.graph.waiting({ frame: frame(holder), pool, describe: 'waiter', refuse });
    }
    await settled();
    expect(requests.who).toHaveLength(1);
  });

  test('a waiter outside every holder is no part of a deadlock, and is never the one refused', async () => {
    const pool = poolOf(1);
    const holder = requests.grant('holder', pool);
    requests.ask('bystander', pool, frame());
    await settled();
    expect(requests.who).toEqual([]);

    requests.ask('inside', pool, holder);
    requests.ask('late bystander', pool, frame());
    await settled();
    expect(requests.who).toEqual(['inside']);
  });

  test('a waiter blocks every holder around it', async () => {
    const pool = poolOf(2);
    const outer = requests.grant('outer', pool);
    const middle = requests.grant('middle', pool, frame(frame(outer)));
    requests.ask('innermost', pool, middle);
    await settled();
    expect(requests.who).toEqual(['innermost']);
    expect(requests.refused[0]!.message).toContain('all 2 are held by');
    for (const name of ['outer', 'middle']) expect(requests.refused[0]!.message).toContain(`"${name}"`);
  });

  test('a waiter that was served before the judgement is not refused', async () => {
    const pool = poolOf(1);
    const served = requests.ask('inner', pool, requests.grant('outer', pool));
    served();
    await settled();
    expect(requests.who).toEqual([]);
  });

  test('nobody is refused when a holder gives back before the judgement', async () => {
    const pool = poolOf(2);
    const [first, second] = [requests.grant('first', pool), requests.grant('second', pool)];
    requests.ask('inside first', pool, first);
    requests.ask('inside second', pool, second);
    requests.giveBack(second);
    await settled();
    expect(requests.who).toEqual([]);
  });

  test('the last connection going to a transaction that already waits completes the deadlock', async () => {
    const pool = poolOf(2);
    const [first, second] = [requests.grant('first', pool), frame()];
    requests.ask('inside first', pool, first);
    requests.ask('inside second', pool, second);
    await settled();
    expect(requests.who).toEqual([]);

    requests.grant('second', pool, second);
    await settled();
    expect(requests.who).toContain('inside second');
  });

  test('a refused waiter is out of the graph', async () => {
    const pool = poolOf(1);
    const outer = requests.grant('outer', pool);
    requests.ask('once', pool, outer);
    await settled();
    requests.graph.reconsider();
    await settled();
    expect(requests.who).toEqual(['once']);
  });
});

describe('a holder that can still go on', () => {
  test('while its statement runs nobody is refused; when it rests, it is judged anew', async () => {
    const pool = poolOf(1);
    const outer = requests.grant('outer', pool);
    requests.busy.add(outer);
    requests.ask('inner', pool, outer);
    await settled();
    expect(requests.who).toEqual([]);

    requests.busy.delete(outer);
    requests.graph.reconsider();
    await settled();
    expect(requests.who).toEqual(['inner']);
  });

  test('what it does before the next turn of the event loop counts', async () => {
    const pool = poolOf(1);
    const outer = requests.grant('outer', pool);
    requests.ask('inner', pool, outer);
    await Promise.resolve().then(() => process.nextTick(() => requests.giveBack(outer)));
    await settled();
    expect(requests.who).toEqual([]);
  });
});

describe('several pools', () => {
  const [one, two, three] = [poolOf(1, 'one'), poolOf(1, 'two'), poolOf(1, 'three')];

  test('two that wait for each other: one of the two requests is refused', async () => {
    const [first, second] = [requests.grant('first', one), requests.grant('second', two)];
    requests.ask('first asks two', two, first);
    await settled();
    expect(requests.who).toEqual([]);

    requests.ask('second asks one', one, second);
    requests.graph.reconsider();
    await settled();
    expect(requests.who[0]).toBe('second asks one');
    expect(requests.refused[0]!.message).toContain('pool "one", but all 1 are held by');
    expect(requests.refused[0]!.message).toContain('"first"');
  });

  test('a circle of three', async () => {
    const frames = [one, two, three].map((pool) => requests.grant(`holds ${pool.name}`, pool));
    requests.ask('two', two, frames[0]!);
    requests.ask('three', three, frames[1]!);
    await settled();
    expect(requests.who).toEqual([]);
    requests.ask('one', one, frames[2]!);
    await settled();
    expect(requests.who[0]).toBe('one');
  });

  test('a pool that has a connection to come back ends the circle', async () => {
    const wide = poolOf(2, 'wide');
    const [first, second] = [requests.grant('first', one), requests.grant('second', wide)];
    requests.grant('somebody else', wide);
    requests.ask('first asks wide', wide, first);
    requests.ask('second asks one', one, second);
    await settled();
    expect(requests.who).toEqual([]);
  });

  test('a holder that waits for a pool which will serve it gives its connection back one day', async () => {
    const [shared, elsewhere] = [poolOf(2, 'shared'), poolOf(2, 'elsewhere')];
    const [first, second] = [requests.grant('first', shared), requests.grant('second', shared)];
    requests.ask('inside first', shared, first);
    requests.ask('inside second', elsewhere, second);
    await settled();
    expect(requests.who).toEqual([]);
  });

  test('whoever waits for a pool of the circle, and holds up none of it, is not the one refused', async () => {
    const [first, second] = [requests.grant('first', one), requests.grant('second', two)];
    const behind = requests.grant('behind', three);
    requests.ask('first asks two', two, first);
    requests.ask('second asks one', one, second);
    requests.ask('behind asks one', one, behind);
    const freed = requests.graph.reconsider;
    requests.busy.add(behind);
    freed();
    await new Promise((resolve) => setImmediate(resolve));
    expect(requests.who).toEqual(['second asks one']);
  });
});
