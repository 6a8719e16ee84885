import { of } from 'rxjs';
import type { Observable } from 'rxjs';
import {
  InvalidOptionsError,
  managePool,
  runInTransaction,
  Transactional,
  transactional,
  unmanagePool,
  UnsupportedReturnError,
} from 'holdfast';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
beforeEach(() => {
  const managed = managePool(db.pool({ max: 1 }));
  db.defer(() => unmanagePool(managed));
});

// The type check of the tests proves each `@ts-expect-error`; the tests show what a cast past it leads to.
describe('methods that answer no promise do not compile: legacy decorators', () => {
  class Careless {
    // @ts-expect-error a plain value
    @Transactional()
    value(): number {
      return 7;
    }
    // @ts-expect-error sometimes a promise
    @Transactional()
    sometimes(): number | Promise<number> {
      return 7;
    }
    // @ts-expect-error an Observable
    @Transactional()
    observable(): Observable<number> {
      return of(7);
    }
    // @ts-expect-error an async generator
    @Transactional()
    async *rows(): AsyncGenerator<number> {
      yield 7;
    }
    @Transactional()
    async fine(label: string): Promise<string> {
      return label;
    }
  }

  test('a plain value comes back in a promise: callers of a transactional method await it', async () => {
    await expect(new Careless().value()).resolves.toBe(7);
    await expect(new Careless().sometimes()).resolves.toBe(7);
  });

  test('an Observable and an async generator are refused', async () => {
    await expect(new Careless().observable()).rejects.toBeInstanceOf(UnsupportedReturnError);
    await expect(new Careless().rows()).rejects.toBeInstanceOf(UnsupportedReturnError);
  });

  test('an asynchronous method compiles, with its arguments and its result', async () => {
    const label: string = await new Careless().fine('seven');
    expect(label).toBe('seven');
    // @ts-expect-error the decorator leaves the parameters as they are
    await expect(new Careless().fine(7)).resolves.toBe(7);
  });

  test('a property is no method: a compile error, and refused when the class is made', () => {
    const make = () => {
      class Misplaced {
        // @ts-expect-error a property
        @Transactional()
        property = 1;
      }
      return new Misplaced();
    };
    expect(make).toThrow(InvalidOptionsError);
  });

  test('functions that answer no promise', async () => {
    // @ts-expect-error a plain value
    await expect(runInTransaction(() => 7)).resolves.toBe(7);
    // @ts-expect-error a plain value
    await expect(transactional(() => 7)()).resolves.toBe(7);
    // @ts-expect-error an Observable
    await expect(runInTransaction(() => of(7))).rejects.toBeInstanceOf(UnsupportedReturnError);
  });
});
