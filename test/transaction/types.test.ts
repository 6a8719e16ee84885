import { runInTransaction, Transactional, transactional, type TransactionOptions } from 'holdfast';
import { useEntries } from './entries.js';

/**
 * What the compiler says. The `@ts-expect-error` lines are checked by `npm run typecheck`: one that is no error any
 * more fails there.
 */
useEntries();

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(isSame: Equal<A, B>): void => expect(isSame).toBe(true);

describe('results', () => {
  test('runInTransaction answers what the work answers', async () => {
    const number = runInTransaction(async () => 7);
    same<typeof number, Promise<number>>(true);
    const nothing = runInTransaction(async () => undefined);
    same<typeof nothing, Promise<undefined>>(true);
    const union = runInTransaction(async (): Promise<'a' | null> => null);
    same<typeof union, Promise<'a' | null>>(true);

    expect(await Promise.all([number, nothing, union])).toEqual([7, undefined, null]);
  });

  test('transactional() keeps parameters, this and result', async () => {
    const place = transactional(async (owner: string, ...amounts: number[]) => ({ owner, amounts }));
    same<Parameters<typeof place>, [owner: string, ...amounts: number[]]>(true);
    expect(await place('ada', 1, 2)).toEqual({ owner: 'ada', amounts: [1, 2] });

    const desk = {
      owner: 'ada',
      place: transactional(async function (this: { owner: string }, amount: number) {
        return `${this.owner} ${amount}`;
      }),
    };
    expect(await desk.place(3)).toBe('ada 3');
    // @ts-expect-error its this has an owner
    const call = transactional(async function (this: { owner: string }) {
      return this?.owner;
    })();
    await call;
  });

  test('transactional() keeps a type parameter', async () => {
    const echo = transactional(async <T>(value: T): Promise<T> => value);
    const word: string = await echo('a');
    const number: number = await echo(1);
    expect([word, number]).toEqual(['a', 1]);
  });

  test('a decorated method keeps its type', async () => {
    class Orders {
      @Transactional()
      async place(owner: string, amount = 1): Promise<{ owner: string; amount: number }> {
        return { owner, amount };
      }
    }
    same<Parameters<Orders['place']>, [owner: string, amount?: number | undefined]>(true);
    expect(await new Orders().place('ada')).toEqual({ owner: 'ada', amount: 1 });
  });
});

describe('what returns no promise is a compile error', () => {
  test('in runInTransaction and transactional()', async () => {
    // @ts-expect-error a plain value
    expect(await runInTransaction(() => 7)).toBe(7);
    // @ts-expect-error a plain value
    expect(await transactional(() => 7)()).toBe(7);
    // @ts-expect-error nothing
    expect(await runInTransaction(() => undefined)).toBeUndefined();
    // @ts-expect-error a promise at times
    expect(await runInTransaction((): number | Promise<number> => 7)).toBe(7);
  });

  test('on a method, static or not', async () => {
    class Orders {
      // @ts-expect-error a plain value
      @Transactional()
      count(): number {
        return 7;
      }

      // @ts-expect-error nothing
      @Transactional()
      static nothing(): void {}

      // @ts-expect-error a promise at times
      @Transactional()
      maybe(): number | Promise<number> {
        return 7;
      }
    }
    // Where the compiler was silenced the call answers a promise all the same.
    await expect(new Orders().count()).resolves.toBe(7);
  });

  test('on a field, an accessor and a parameter', () => {
    const declare = () => {
      class Wrong {
        // @ts-expect-error a field
        @Transactional()
        place = async () => undefined;
      }
      return Wrong;
    };
    const declareAccessor = () => {
      class Wrong {
        // @ts-expect-error an accessor
        @Transactional()
        get size() {
          return 1;
        }
      }
      return Wrong;
    };
    expect(declare).toThrow(/belongs on a method or a class/);
    expect(declareAccessor).toThrow(/belongs on a method or a class/);
  });

  test('without its parentheses', () => {
    const declare = () => {
      class Wrong {
        // @ts-expect-error it takes options, not a method
        @Transactional
        async place(): Promise<void> {}
      }
      return Wrong;
    };
    expect(declare).toThrow(/with its parentheses/);
  });
});

describe('wrong options are a compile error', () => {
  test.each([
    // @ts-expect-error an unknown option
    (): unknown => Transactional({ connectionName: 'x' }),
    // @ts-expect-error an unknown mode
    (): unknown => Transactional({ propagation: 'REQUIRES' }),
    // @ts-expect-error an unknown level
    (): unknown => Transactional({ isolationLevel: 'SNAPSHOT' }),
    // @ts-expect-error milliseconds are a number
    (): unknown => Transactional({ timeoutMs: '5s' }),
    // @ts-expect-error a class or a predicate
    (): unknown => Transactional({ rollbackOn: 'Error' }),
    // @ts-expect-error an object
    (): unknown => Transactional({ retry: 3 }),
    // @ts-expect-error no mode by position
    (): unknown => Transactional('REQUIRES_NEW'),
  ])('and refused at run time: %p', (decorate) => {
    expect(decorate).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  test('right ones are none', () => {
    class DomainError extends Error {
      constructor(readonly reason: number) {
        super();
      }
    }
    abstract class AbstractError extends Error {}
    const all: TransactionOptions = {
      dataSource: 'default',
      propagation: 'REQUIRES_NEW',
      isolationLevel: 'SERIALIZABLE',
      readOnly: true,
      timeoutMs: 1000,
      rollbackOn: [DomainError, AbstractError, (error: unknown) => error instanceof TypeError],
      commitOn: DomainError,
      retry: { attempts: 3, backoffMs: 10, maxBackoffMs: 100, on: (error: unknown) => Boolean(error) },
      name: 'all of them',
    };
    expect(() => Transactional(all)).not.toThrow();
  });
});
