import { runInTransaction, Transactional, type TransactionOptions } from 'holdfast';
import { systemClock } from '../../src/core/index.js';
import { useEntries } from './entries.js';

const entries = useEntries();
let timers: { readonly delayMs: number; cleared: boolean }[];
let events: string[];

beforeEach(() => {
  [timers, events] = [[], []];
  const { setTimer } = systemClock;
  jest.spyOn(systemClock, 'setTimer').mockImplementation((callback, delayMs) => {
    const noted = { delayMs, cleared: false };
    timers.push(noted);
    events.push('timer');
    const timer = setTimer(callback, delayMs);
    return {
      clear() {
        noted.cleared = true;
        timer.clear();
      },
    };
  });
});
afterEach(() => jest.restoreAllMocks());

const LIMIT_MS = 54_321;
const limits = (): typeof timers => timers.filter(({ delayMs }) => delayMs === LIMIT_MS);
const fail = (): never => {
  events.push('method');
  throw new Error('no');
};

/** Its methods are synchronous. */
function decorated(options: TransactionOptions) {
  @Transactional(options)
  class Decorated {
    value(): string {
      events.push('method');
      return 'value';
    }
    error(): never {
      return fail();
    }
  }
  return new Decorated();
}

const methods: Readonly<Record<string, (options: TransactionOptions) => unknown>> = {
  'a method that resolves': (options) =>
    runInTransaction(async () => {
      events.push('method');
      await entries.add('a');
    }, options),
  'a method that rejects': (options) => runInTransaction(async () => fail(), options),
  'a method that throws before it answers a promise': (options) => runInTransaction(fail as never, options),
  'a synchronous method of a decorated class': (options) => decorated(options).value(),
  'one that throws': (options) => decorated(options).error(),
};
const surroundings: Readonly<Record<string, (call: (options: TransactionOptions) => unknown) => unknown>> = {
  begun: (call) => call({ timeoutMs: LIMIT_MS }),
  joined: (call) => runInTransaction(async () => call({ timeoutMs: LIMIT_MS })),
  nested: (call) => runInTransaction(async () => call({ timeoutMs: LIMIT_MS, propagation: 'NESTED' })),
};

describe.each(Object.keys(methods))('the timer of timeoutMs: %s', (method) => {
  test.each(Object.keys(surroundings))('%s, starts before the method and is cleared', async (surrounding) => {
    await Promise.resolve()
      .then(() => surroundings[surrounding]!(methods[method]!))
      .catch(() => undefined);
    expect(events.slice(0, 2)).toEqual(['timer', 'method']);
    expect(limits().length).toBeGreaterThan(0);
    expect(limits().map(({ cleared }) => cleared)).toEqual(limits().map(() => true));
  });
});

test('each attempt of a retry has the whole time, and clears its timer', async () => {
  await runInTransaction(fail as never, {
    timeoutMs: LIMIT_MS,
    retry: { attempts: 3, backoffMs: 1, on: () => true },
  }).catch(() => undefined);
  expect(events).toEqual(['timer', 'method', 'timer', 'method', 'timer', 'method']);
  expect(limits()).toEqual(Array.from({ length: 3 }, () => ({ delayMs: LIMIT_MS, cleared: true })));
});
