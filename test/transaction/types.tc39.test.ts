import { Transactional } from 'holdfast';
import { useEntries } from './entries.js';

/** As types.test.ts, for standard decorators. */
useEntries();

test('a decorated method keeps its type', async () => {
  class Orders {
    @Transactional()
    async place(owner: string, amount = 1): Promise<string> {
      return `${owner} ${amount}`;
    }
  }
  const place: (owner: string, amount?: number) => Promise<string> = new Orders().place;
  expect(await place('ada', 2)).toBe('ada 2');
  // @ts-expect-error an owner is a string
  await new Orders().place(7);
});

test('a class keeps its type, and may be abstract', async () => {
  @Transactional()
  abstract class Base {
    constructor(readonly owner: string) {}
    async place(): Promise<string> {
      return this.owner;
    }
  }
  class Orders extends Base {}
  expect(await new Orders('ada').place()).toBe('ada');
  // @ts-expect-error an owner is a string
  expect(await new Orders(7).place()).toBe(7);
});

test('a method that returns no promise is a compile error', async () => {
  class Orders {
    // @ts-expect-error a plain value
    @Transactional()
    count(): number {
      return 7;
    }

    // @ts-expect-error nothing
    @Transactional()
    static nothing(): void {}
  }
  await expect(new Orders().count()).resolves.toBe(7);
});

test('on a field, an accessor or without its parentheses it is a compile error', () => {
  const onField = () => {
    class Wrong {
      // @ts-expect-error a field
      @Transactional()
      place = async () => undefined;
    }
    return Wrong;
  };
  const onAccessor = () => {
    class Wrong {
      // @ts-expect-error an accessor
      @Transactional()
      get size() {
        return 1;
      }
    }
    return Wrong;
  };
  const bare = () => {
    class Wrong {
      // @ts-expect-error it takes options, not a method
      @Transactional
      async place(): Promise<void> {}
    }
    return Wrong;
  };
  for (const declare of [onField, onAccessor, bare]) {
    expect(declare).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  }
});
