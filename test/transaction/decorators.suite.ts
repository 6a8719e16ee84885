import { currentTransaction, type CurrentTransaction } from 'holdfast';
import { type Entries } from './entries.js';

/** What a decorated method tells of the call that reached it. */
export interface Seen {
  readonly self: unknown;
  readonly args: readonly unknown[];
  readonly transaction: CurrentTransaction | undefined;
}

export function see(self: unknown, ...args: unknown[]): Seen {
  return { self, args, transaction: currentTransaction() };
}

export const audit = Symbol('audit');
export const failure = new Error('thrown at once');

/** Methods that carry `@Transactional()` themselves. */
export interface Orders {
  place(label: string, amount?: number): Promise<Seen>;
  placeAndFail(label: string): Promise<never>;
  throwAtOnce(): Promise<never>;
  promiseOfAPlainFunction(label: string): Promise<Seen>;
  named(): Promise<Seen>;
  [audit](): Promise<Seen>;
}

export interface OrdersClass {
  new (entries: Entries): Orders;
  find(label: string): Promise<Seen>;
}

/** The one suite for `@Transactional()` on methods, whichever form of decorators the class was compiled with. */
export function describeDecoratedMethods(
  classes: { Orders: OrdersClass; Refunds: OrdersClass },
  entries: Entries,
): void {
  const { Orders, Refunds } = classes;

  test('the method runs in a transaction with its own this and arguments, and answers its value', async () => {
    const orders = new Orders(entries);
    const seen = await orders.place('a', 3);
    expect(seen.self).toBe(orders);
    expect(seen.args).toEqual(['a', 3]);
    expect(seen.transaction).toMatchObject({ depth: 1, name: 'Orders.place' });
    expect(await entries.committed()).toEqual(['a']);
  });

  test('it rolls back when the method rejects', async () => {
    await expect(new Orders(entries).placeAndFail('a')).rejects.toBe(failure);
    expect(await entries.committed()).toEqual([]);
  });

  test('what a method throws before it returns a promise is a rejection', async () => {
    const call = new Orders(entries).throwAtOnce();
    await expect(call).rejects.toBe(failure);
  });

  test('a method that is not async, but returns a promise, is surrounded as well', async () => {
    const seen = await new Orders(entries).promiseOfAPlainFunction('a');
    expect(seen.transaction).toMatchObject({ name: 'Orders.promiseOfAPlainFunction' });
    expect(await entries.committed()).toEqual(['a']);
  });

  test('a static method has its class as this', async () => {
    const seen = await Orders.find('a');
    expect(seen.self).toBe(Orders);
    expect(seen.transaction).toMatchObject({ name: 'Orders.find' });
  });

  test('a method named by a symbol is surrounded', async () => {
    const seen = await new Orders(entries)[audit]();
    expect(seen.transaction).toMatchObject({ name: 'Orders.Symbol(audit)' });
  });

  test('a name of one’s own replaces the default', async () => {
    expect((await new Orders(entries).named()).transaction).toMatchObject({ name: 'the order desk' });
  });

  test('an inherited method is surrounded in a subclass', async () => {
    const refunds = new Refunds(entries);
    const seen = await refunds.place('a');
    expect(seen.self).toBe(refunds);
    expect(seen.transaction).toMatchObject({ depth: 1 });
  });

  test('name, length and place of the method stay as they were', () => {
    const { place } = Orders.prototype as Orders;
    expect(place.name).toBe('place');
    expect(place).toHaveLength(2);
    expect((Orders.prototype as Orders)[audit].name).toBe('[audit]');
    expect(Object.getOwnPropertyDescriptor(Orders.prototype, 'place')).toMatchObject({
      writable: true,
      enumerable: false,
      configurable: true,
    });
  });
}

/** A class that carries `@Transactional()` itself. */
export interface Catalogue {
  list(label: string): Promise<Seen>;
  viaHelpers(label: string): Promise<readonly Seen[]>;
  own(): Promise<Seen>;
  count(step: number): number;
  refuse(): never;
  stream(): unknown;
  register(hook: () => void): string;
  registerAndThrow(hook: () => void, undo: () => void): never;
  readonly size: Seen;
  [audit](): Promise<Seen>;
  inherited(): Promise<Seen>;
}

export interface CatalogueClass {
  new (entries: Entries): Catalogue;
  find(): Promise<Seen>;
}

export function describeDecoratedClass(Catalogue: CatalogueClass, entries: Entries): void {
  test('its methods are surrounded, one named by a symbol too', async () => {
    const catalogue = new Catalogue(entries);
    const seen = await catalogue.list('a');
    expect(seen).toMatchObject({
      self: catalogue,
      args: ['a'],
      transaction: { name: 'Catalogue.list', depth: 1 },
    });
    expect((await catalogue[audit]()).transaction).toMatchObject({ name: 'Catalogue.Symbol(audit)' });
    expect(await entries.committed()).toEqual(['a']);
  });

  test('helpers of its own, private ones too, belong to the transaction of the method that calls them', async () => {
    const seen = await new Catalogue(entries).viaHelpers('a');
    const ids = seen.map(({ transaction }) => transaction?.id);
    expect(ids).toEqual([ids[0], ids[0], ids[0]]);
    expect(ids[0]).toBeDefined();
  });

  test('a decorator on the method is stronger than the one on the class', async () => {
    const { transaction } = await new Catalogue(entries).own();
    expect(transaction).toMatchObject({ name: 'the catalogue’s own', isolationLevel: 'SERIALIZABLE' });
  });

  test('synchronous methods answer their value, and throw at once', () => {
    const catalogue = new Catalogue(entries);
    expect(catalogue.count(3)).toBe(4);
    expect(() => catalogue.refuse()).toThrow(failure);
    expect(entries.pool.totalCount).toBe(0);
  });

  test('accessors, static methods and inherited methods are left alone', async () => {
    const catalogue = new Catalogue(entries);
    expect(catalogue.size.transaction).toBeUndefined();
    expect((await Catalogue.find()).transaction).toBeUndefined();
    expect((await catalogue.inherited()).transaction).toBeUndefined();
  });

  test('what a synchronous method returns to be read later is refused', () => {
    expect(() => new Catalogue(entries).stream()).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_RETURN' }),
    );
  });

  describe('hooks that a synchronous method registers', () => {
    test('outside a transaction run, as they would without the decorator', async () => {
      const hook = jest.fn();
      expect(new Catalogue(entries).register(hook)).toBe('registered');
      await new Promise((resolve) => setImmediate(resolve));
      expect(hook).toHaveBeenCalledTimes(1);
    });

    test('outside a transaction do not run for a commit when the method throws', async () => {
      const [hook, undo] = [jest.fn(), jest.fn()];
      expect(() => new Catalogue(entries).registerAndThrow(hook, undo)).toThrow(failure);
      await new Promise((resolve) => setImmediate(resolve));
      expect(hook).not.toHaveBeenCalled();
      expect(undo).toHaveBeenCalledTimes(1);
    });
  });

  test('an asynchronous method refuses with a rejection what it cannot do', async () => {
    const catalogue = new Catalogue(entries);
    const seen = await catalogue.list('a');
    expect(seen.transaction).toBeDefined();
    await expect(catalogue.viaHelpers('fail')).rejects.toBe(failure);
    expect(await entries.committed()).toEqual(['a']);
  });
}
