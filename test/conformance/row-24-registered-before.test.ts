import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { currentTransaction } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { everyWay, expectCleanPool, labelsIn, useWork } from './ways-in.js';

const db = useDatabase();

type Callback = () => Promise<void>;

/** Something that was set up before the transaction and calls `callback` during it; resolves when that is done. */
type Source = (callback: Callback) => { fire(): Promise<void>; stop?(): void };

/** Runs the callback, and lets the test wait for its end. */
function tracked(callback: Callback): { run(): void; ended: Promise<void> } {
  let settle: (callbackRun: Promise<void>) => void = () => undefined;
  const ended = new Promise<void>((resolve) => (settle = resolve));
  let ran = false;
  return {
    ended,
    run() {
      if (ran) return;
      ran = true;
      settle(callback());
    },
  };
}

const sources: readonly [string, Source][] = [
  [
    'an interval',
    (callback) => {
      const { run, ended } = tracked(callback);
      let armed = false;
      const timer = setInterval(() => armed && run(), 1);
      return {
        fire: () => {
          armed = true;
          return ended;
        },
        stop: () => clearInterval(timer),
      };
    },
  ],
  [
    'a promise that was awaited before',
    (callback) => {
      let resolve = (): void => undefined;
      const { run, ended } = tracked(callback);
      void new Promise<void>((done) => (resolve = done)).then(run);
      return {
        fire: () => {
          resolve();
          return ended;
        },
      };
    },
  ],
  [
    'a consumer that takes from a queue',
    (callback) => {
      const queue = new Readable({ objectMode: true, read: () => undefined });
      const { run, ended } = tracked(callback);
      void (async () => {
        for await (const message of queue) if (message) run();
      })();
      return {
        fire: () => {
          queue.push('message');
          return ended;
        },
        stop: () => void queue.push(null),
      };
    },
  ],
  [
    'an AsyncResource',
    (callback) => {
      const resource = new AsyncResource('worker');
      const { run, ended } = tracked(callback);
      return {
        fire: () => {
          resource.runInAsyncScope(run);
          return ended;
        },
      };
    },
  ],
  [
    'AsyncLocalStorage.bind()',
    (callback) => {
      const { run, ended } = tracked(callback);
      const bound = AsyncLocalStorage.bind(run);
      return {
        fire: () => {
          bound();
          return ended;
        },
      };
    },
  ],
  [
    'an emitter whose events come from a socket',
    (callback) => {
      const emitter = new EventEmitter();
      const { run, ended } = tracked(callback);
      emitter.on('message', run);
      const server = createServer((socket) => socket.on('data', () => emitter.emit('message')));
      const ready = new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return {
        fire: async () => {
          await ready;
          const client = connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
            client.write('x'),
          );
          await ended;
          client.destroy();
        },
        stop: () => server.close(),
      };
    },
  ],
  [
    'a batch that somebody outside had begun to collect (DataLoader)',
    (callback) => {
      const keys: string[] = [];
      let dispatch = (): void => undefined;
      const due = new Promise<void>((resolve) => (dispatch = resolve));
      const { run, ended } = tracked(callback);
      const load = (key: string): void => {
        if (keys.push(key) === 1) void due.then(() => process.nextTick(run));
      };
      load('asked for before');
      return {
        fire: () => {
          load('asked for inside');
          dispatch();
          return ended;
        },
      };
    },
  ],
];

describe.each(everyWay)('what was registered before the transaction: $name', ({ way, opening }) => {
  const work = useWork(db, way, { max: 2 });

  test.each(sources)('%s fires inside its time and runs outside it', async (_, register) => {
    const seen: unknown[] = [];
    const source = register(async () => {
      seen.push(currentTransaction());
      await work.insert('by the callback');
      seen.push(await work.txid());
    });
    db.defer(() => source.stop?.());
    let txid = '';
    const outcome = opening.run(async () => {
      await work.insert('gone');
      txid = await work.txid();
      await source.fire();
      expect(await labelsIn(db)).toEqual(['by the callback']);
      expect(await work.labels()).toContain('gone');
      throw new Error('undo');
    });

    await expect(outcome).rejects.toThrow('undo');
    expect(seen).toEqual([undefined, expect.any(String)]);
    expect(seen[1]).not.toBe(txid);
    expect(await labelsIn(db)).toEqual(['by the callback']);
    await expectCleanPool(work.pool, db);
  });

  test('a listener that is called within emit() is a function call like any other: part of the transaction', async () => {
    const emitter = new EventEmitter();
    let listening: Promise<void> | undefined;
    emitter.on('placed', () => (listening = work.insert('by the listener')));
    const outcome = opening.run(async () => {
      await work.insert('gone');
      emitter.emit('placed');
      await listening;
      expect(await work.labels()).toEqual(['gone', 'by the listener']);
      throw new Error('undo');
    });

    await expect(outcome).rejects.toThrow('undo');
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('a listener that goes on after the transaction: refused, never run in autocommit', async () => {
    const emitter = new EventEmitter();
    let release = (): void => undefined;
    const later = new Promise<void>((resolve) => (release = resolve));
    let listening: Promise<void> | undefined;
    emitter.on('placed', () => {
      listening = (async () => {
        await later;
        await work.insert('too late');
      })();
    });
    await opening.run(async () => {
      await work.insert('kept');
      emitter.emit('placed');
    });
    release();

    await expect(listening).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await labelsIn(db)).toEqual(['kept']);
    await expectCleanPool(work.pool, db);
  });

  test('a timer that is started inside and fires inside is part of the transaction', async () => {
    const outcome = opening.run(async () => {
      await work.insert('gone');
      await new Promise<void>((resolve, reject) => {
        setImmediate(() => void work.insert('by the timer').then(resolve, reject));
      });
      throw new Error('undo');
    });

    await expect(outcome).rejects.toThrow('undo');
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('a connection that is opened by one transaction takes its context to no other', async () => {
    await opening.run(() => work.insert('opens the connection'), { name: 'first' });
    const names: unknown[] = [];
    await opening.run(
      async () => {
        await work.insert('second');
        names.push(currentTransaction()?.name);
      },
      { name: 'second' },
    );
    names.push(currentTransaction());
    await work.insert('outside');

    expect(names).toEqual(['second', undefined]);
    expect(await labelsIn(db)).toEqual(['opens the connection', 'second', 'outside']);
  });
});
