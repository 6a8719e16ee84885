import { Readable } from 'node:stream';
import { defer, from, lastValueFrom, of, Subject } from 'rxjs';
import type { Observable } from 'rxjs';
import {
  afterCommit,
  afterRollback,
  runInTransaction,
  runOutsideTransaction,
  Transactional,
  UnsupportedReturnError,
} from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { everyWay, expectCleanPool, labelsIn, useWork } from './ways-in.js';
import type { Work } from './ways-in.js';

const db = useDatabase();

/** Results whose work begins, or goes on, after the method has returned. */
const lazy: readonly [string, RegExp, (work: Work) => unknown][] = [
  ['an Observable', /an Observable/, (work) => defer(() => work.labels())],
  ['a Subject', /an Observable/, () => new Subject()],
  ['an Observable under the name of a polyfill', /an Observable/, () => underPolyfill()],
  ['a readable stream', /a stream/, () => Readable.from(['row'])],
  ['a web stream', /an async iterator/, () => Readable.toWeb(Readable.from(['row']))],
  [
    'an async generator',
    /an async iterator/,
    async function* (work: Work) {
      yield await work.labels();
    },
  ],
  [
    'an object that is async iterable',
    /an async iterator/,
    () => ({ [Symbol.asyncIterator]: () => undefined }),
  ],
];

/** What rxjs makes where `Symbol.observable` was defined before it was loaded. */
function underPolyfill(): unknown {
  const symbol = Symbol('observable');
  Object.defineProperty(Symbol, 'observable', { value: symbol, configurable: true });
  return { [symbol]: () => undefined, subscribe: () => undefined, pipe: () => undefined };
}
afterEach(() => void Reflect.deleteProperty(Symbol, 'observable'));

/** What Prisma and Drizzle answer: nothing has begun until somebody calls `then`. */
function beginsWhenAwaited(begin: () => Promise<void>): Promise<void> {
  return new Proxy(Promise.resolve(), {
    get(target, key) {
      const then: Promise<void>['then'] = (...args) => begin().then(...args);
      return key === 'then' ? then : Reflect.get(target, key);
    },
  });
}

const answersEverything: unknown = new Proxy({}, { get: (_, key) => (key === 'then' ? undefined : () => 1) });

const plain: readonly [string, unknown][] = [
  ['nothing', undefined],
  ['null', null],
  ['an array', [1, 2]],
  ['an object with a method named subscribe', { subscribe: () => undefined }],
  ['an object with methods named subscribe and pipe', { subscribe: () => undefined, pipe: () => undefined }],
  ['a proxy that answers whatever it is asked for', answersEverything],
  ['a Map', new Map([['a', 1]])],
  ['a string', 'text'],
  ['a buffer', Buffer.from('bytes')],
];

describe.each(everyWay)('what a method returns: $name', ({ way, opening }) => {
  const work = useWork(db, way, { max: 1 });

  test.each(lazy)('%s is refused and the work is rolled back', async (_, kind, make) => {
    const told: string[] = [];
    const outcome = opening.run(
      async () => {
        afterCommit(() => told.push('after commit'));
        afterRollback(() => told.push('after rollback'));
        await work.insert('gone');
        return make(work);
      },
      { name: 'Feed.latest' },
    );

    const error = (await outcome.catch((reason: unknown) => reason)) as Error;
    expect(error).toBeInstanceOf(UnsupportedReturnError);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_RETURN', retryable: false });
    expect(error.message).toMatch(
      /^"Feed.latest" returned .*would outlive the transaction.*Collect the result/s,
    );
    expect(error.message).toMatch(kind);
    expect(told).toEqual(['after rollback']);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test.each(lazy)(
    '%s of a joined method is refused, and the outer method cannot keep its work',
    async (_, __, make) => {
      let refusal: unknown;
      const outcome = opening.run(
        async () => {
          await work.insert('outer');
          refusal = await opening
            .run(async () => make(work), { name: 'inner' })
            .catch((error: unknown) => error);
        },
        { name: 'outer' },
      );

      await expect(outcome).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
      expect(refusal).toBeInstanceOf(UnsupportedReturnError);
      expect((refusal as Error).message).toMatch(/^"inner" returned/);
      expect(await labelsIn(db)).toEqual([]);
      await expectCleanPool(work.pool, db);
    },
  );

  test.each(lazy)('%s of a NESTED method: only its part is undone', async (_, __, make) => {
    await opening.run(async () => {
      await work.insert('outer');
      const nested = opening.run(
        async () => {
          await work.insert('nested');
          return make(work);
        },
        { propagation: 'NESTED' },
      );
      await expect(nested).rejects.toBeInstanceOf(UnsupportedReturnError);
    });

    expect(await labelsIn(db)).toEqual(['outer']);
    await expectCleanPool(work.pool, db);
  });

  test.each(plain)('%s comes back as it is', async (_, value) => {
    const result = await opening.run(async () => {
      await work.insert('kept');
      return value;
    });

    expect(result).toBe(value);
    expect(await labelsIn(db)).toEqual(['kept']);
  });

  test.each(['REQUIRED', 'NESTED', 'REQUIRES_NEW'] as const)(
    'a promise that begins its work only when it is awaited (Prisma, Drizzle) begins it inside: %s',
    async (propagation) => {
      const lazily = (label: string) => beginsWhenAwaited(() => work.insert(label));
      const outcome = opening.run(async () => {
        await opening.run(() => lazily('inner'), { propagation });
        throw new Error('undo');
      });

      await expect(outcome).rejects.toThrow('undo');
      expect(await labelsIn(db)).toEqual(propagation === 'REQUIRES_NEW' ? ['inner'] : []);
      await runInTransaction(() => lazily('outermost'));
      expect((await labelsIn(db)).at(-1)).toBe('outermost');
      await expectCleanPool(work.pool, db);
    },
  );

  test.each([
    ['NOT_SUPPORTED', (begin: () => Promise<void>) => opening.run(begin, { propagation: 'NOT_SUPPORTED' })],
    ['runOutsideTransaction()', (begin: () => Promise<void>) => runOutsideTransaction(begin)],
  ])('and outside, in %s', async (_, outside) => {
    const outcome = opening.run(async () => {
      await outside(() => beginsWhenAwaited(() => work.insert('outside')));
      throw new Error('undo');
    });

    await expect(outcome).rejects.toThrow('undo');
    expect(await labelsIn(db)).toEqual(['outside']);
    await expectCleanPool(work.pool, db);
  });

  test('what the message tells to do works: the result is collected inside', async () => {
    const rows = await opening.run(async () => {
      await work.insert('kept');
      return lastValueFrom(from(work.labels()));
    });

    expect(rows).toEqual(['kept']);
    expect(await labelsIn(db)).toEqual(['kept']);
  });
});

describe('every method of a class', () => {
  let work: Work;
  beforeEach(async () => {
    await db.truncate();
    work = await everyWay[0]!.way.start(db, { max: 1 });
  });

  @Transactional()
  class Feed {
    observable(): Observable<number> {
      return of(1);
    }
    stream(): Readable {
      return Readable.from([1]);
    }
    async *rows(): AsyncGenerator<unknown> {
      yield await work.labels();
    }
    async promised(): Promise<unknown> {
      await work.insert('gone');
      return of(1);
    }
    count(): number {
      return 7;
    }
    fails(): never {
      throw new RangeError('at once');
    }
    async add(label: string): Promise<string> {
      await work.insert(label);
      return label;
    }
  }

  test.each(['observable', 'stream', 'rows'] as const)(
    '%s(), which is synchronous, is refused at once',
    (method) => {
      expect(() => new Feed()[method]()).toThrow(UnsupportedReturnError);
      expect(() => new Feed()[method]()).toThrow(`"Feed.${method}" returned`);
    },
  );

  test('a promise of an Observable is refused and rolled back', async () => {
    await expect(new Feed().promised()).rejects.toBeInstanceOf(UnsupportedReturnError);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('a synchronous method stays one: its value and its error come at once, and no transaction is left', async () => {
    expect(new Feed().count()).toBe(7);
    expect(() => new Feed().fails()).toThrow('at once');
    expect(await new Feed().add('kept')).toBe('kept');
    expect(await labelsIn(db)).toEqual(['kept']);
    await expectCleanPool(work.pool, db);
  });
});

describe('without a transaction there is nothing to outlive', () => {
  test.each(['SUPPORTS', 'NEVER'] as const)('%s passes an Observable through', async (propagation) => {
    const work = await everyWay[0]!.way.start(db);
    const observable = of(1);
    expect(await runInTransaction(async () => observable, { propagation })).toBe(observable);
    await expectCleanPool(work.pool, db);
  });
});
