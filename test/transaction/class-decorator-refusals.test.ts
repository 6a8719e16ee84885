import { Readable } from 'node:stream';
import {
  afterCommit,
  currentTransaction,
  managePool,
  runInTransaction,
  runOutsideTransaction,
  Transactional,
  type TransactionOptions,
  unmanagePool,
} from 'holdfast';
import { gate, useEntries } from './entries.js';

const entries = useEntries();
const failure = new Error('the method’s own');
let called: string[];
let started: Promise<unknown>[];
beforeEach(() => ([called, started] = [[], []]));

/** A class that is transactional as a whole, with methods of every kind. */
function service(options: TransactionOptions) {
  @Transactional(options)
  class Orders {
    normalize(label: string): string {
      return `${label.trim()} in ${currentTransaction()?.name ?? 'none'}`;
    }
    refuse(): never {
      throw failure;
    }
    async place(): Promise<void> {
      called.push('place');
      await entries.add('place');
    }
    promise(): Promise<void> {
      return entries.add('promise');
    }
    stream(): Readable {
      return Readable.from([1]);
    }
    forget(): string {
      started.push(entries.add('forgotten').catch((error: unknown) => error));
      return 'forgotten';
    }
    forgetLater(until: Promise<void>): string {
      started.push(until.then(() => entries.add('later')).catch((error: unknown) => error));
      return 'forgotten';
    }
    forgetInner(): string {
      started.push(
        runInTransaction(() => entries.add('inner'), { dataSource: options.dataSource ?? 'default' }).catch(
          (error: unknown) => error,
        ),
      );
      return 'forgotten';
    }
    hook(): void {
      afterCommit(() => void called.push('hook'));
    }
    outside(): string {
      runOutsideTransaction(() => {
        started.push(entries.add('outside'));
      });
      return 'started';
    }
  }
  return new Orders();
}
type Orders = ReturnType<typeof service>;

/** What keeps a call from having its transaction. */
const refusals: readonly {
  code: string;
  options: TransactionOptions;
  surround: (call: () => unknown) => Promise<unknown>;
}[] = [
  { code: 'PROPAGATION', options: { propagation: 'MANDATORY' }, surround: async (call) => call() },
  {
    code: 'PROPAGATION',
    options: { propagation: 'NEVER' },
    surround: (call) => runInTransaction(async () => call()),
  },
  {
    code: 'ISOLATION_MISMATCH',
    options: { isolationLevel: 'SERIALIZABLE' },
    surround: (call) => runInTransaction(async () => call()),
  },
  {
    code: 'READ_ONLY_MISMATCH',
    options: { propagation: 'NESTED' },
    surround: (call) => runInTransaction(async () => call(), { readOnly: true }),
  },
  {
    code: 'TRANSACTION_CLOSED',
    options: {},
    surround: async (call) => {
      const ended = gate();
      let late: Promise<unknown> = Promise.resolve();
      await runInTransaction(async () => {
        late = ended.opened.then(call);
      });
      ended.open();
      return late;
    },
  },
];

describe.each(refusals)(
  'where it is refused its transaction ($code, $options)',
  ({ code, options, surround }) => {
    const within = <T>(use: (orders: Orders) => T): Promise<unknown> => surround(() => use(service(options)));

    test('a synchronous method answers, without a transaction', async () => {
      expect(await within((orders) => orders.normalize(' pen '))).toBe('pen in none');
      await expect(within((orders) => orders.refuse())).rejects.toBe(failure);
    });

    test('an async method is not called', async () => {
      await expect(within((orders) => orders.place())).rejects.toMatchObject({ code });
      expect(called).toEqual([]);
      expect(await entries.committed()).toEqual([]);
    });

    test('one that answers a promise is refused, and its statements are', async () => {
      await expect(within((orders) => orders.promise())).rejects.toMatchObject({ code });
      expect(await entries.committed()).toEqual([]);
    });

    test('one that answers a stream is refused', async () => {
      await expect(within((orders) => orders.stream())).rejects.toMatchObject({ code });
    });

    test.each(['forget', 'forgetInner'] as const)(
      'what %s() starts is refused, and says why',
      async (method) => {
        expect(await within((orders) => orders[method]())).toBe('forgotten');
        expect(await started[0]).toMatchObject({
          code: 'TRANSACTION_CLOSED',
          message: expect.stringContaining(`"Orders.${method}" could have no transaction`),
          cause: { code },
        });
        expect(await entries.committed()).toEqual([]);
      },
    );

    test('a hook of its is refused: there is nothing that it could wait for', async () => {
      await expect(within((orders) => orders.hook())).rejects.toMatchObject({
        code: 'TRANSACTION_CLOSED',
        cause: { code },
      });
      expect(called).toEqual([]);
    });

    test('what it starts outside every transaction runs', async () => {
      expect(await within((orders) => orders.outside())).toBe('started');
      await started[0];
      expect(await entries.committed()).toEqual(['outside']);
    });
  },
);

describe('while its data source is not managed yet', () => {
  const options = { dataSource: 'orders' };

  test('a synchronous method answers: a constructor may call it', () => {
    expect(service(options).normalize(' pen ')).toBe('pen in none');
    expect(() => service(options).refuse()).toThrow(failure);
  });

  test.each(['place', 'promise'] as const)('%s() rejects', async (method) => {
    await expect(service(options)[method]()).rejects.toMatchObject({ code: 'UNKNOWN_DATA_SOURCE' });
    expect(called).toEqual([]);
  });

  test('one that answers a stream is refused', () => {
    expect(() => service(options).stream()).toThrow(expect.objectContaining({ code: 'UNKNOWN_DATA_SOURCE' }));
  });

  test.each(['forgetLater', 'forgetInner'] as const)(
    'what %s() has started is refused, also once it is managed',
    async (method) => {
      unmanagePool(entries.managed);
      const managed = gate();
      expect(service(options)[method](managed.opened)).toBe('forgotten');
      entries.managed = managePool(entries.pool, { name: 'orders' });
      managed.open();
      expect(await started[0]).toMatchObject({
        code: 'TRANSACTION_CLOSED',
        cause: { code: 'UNKNOWN_DATA_SOURCE' },
      });
      expect(await entries.committed()).toEqual([]);
    },
  );

  test('once it is managed, its methods have their transactions', async () => {
    const orders = service(options);
    orders.normalize('');
    unmanagePool(entries.managed);
    entries.managed = managePool(entries.pool, { name: 'orders' });
    await orders.place();
    expect(await entries.committed()).toEqual(['place']);
  });
});
