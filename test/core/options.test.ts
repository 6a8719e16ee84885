import {
  type Clock,
  optional,
  readBoolean,
  readClock,
  readDurationMs,
  type Reader,
  readFunction,
  readInteger,
  readOneOf,
  readOptions,
  readString,
  systemClock,
  withDefault,
} from '../../src/core/index.js';
import { InvalidOptionsError } from 'holdfast';

const clock: Clock = { now: () => 0, setTimer: () => ({ clear: () => undefined }) };
const work = (): void => undefined;
class Service {}

interface Case {
  readonly reader: string;
  readonly read: Reader<unknown>;
  readonly takes: readonly unknown[];
  readonly allowed: string;
  /** A wrong value, and how the message puts it. */
  readonly refuses: readonly (readonly [value: unknown, described: string])[];
}

const cases: readonly Case[] = [
  {
    reader: 'readString',
    read: readString,
    takes: ['a', ' ', 'ünïcode'],
    allowed: 'a non-empty string',
    refuses: [
      ['', '""'],
      [undefined, 'undefined'],
      [null, 'null'],
      [7, '7'],
      [{}, 'an object (Object)'],
    ],
  },
  {
    reader: 'readBoolean',
    read: readBoolean,
    takes: [true, false],
    allowed: 'true or false',
    refuses: [
      ['true', '"true"'],
      [0, '0'],
      [null, 'null'],
    ],
  },
  {
    reader: 'readDurationMs',
    read: readDurationMs,
    takes: [0.5, 1, 2_147_483_647],
    allowed: 'a number of milliseconds above 0 and at most 2147483647',
    refuses: [
      [0, '0'],
      [-1, '-1'],
      [Number.NaN, 'NaN'],
      [Infinity, 'Infinity'],
      [2_147_483_648, '2147483648'],
      ['1000', '"1000"'],
      [1000n, 'bigint'],
    ],
  },
  {
    reader: 'readInteger(1, 3)',
    read: readInteger(1, 3),
    takes: [1, 2, 3],
    allowed: 'a whole number from 1 to 3',
    refuses: [
      [0, '0'],
      [4, '4'],
      [1.5, '1.5'],
      [Number.NaN, 'NaN'],
      ['2', '"2"'],
    ],
  },
  {
    reader: 'readOneOf(A, B)',
    read: readOneOf(['A', 'B']),
    takes: ['A', 'B'],
    allowed: 'one of A, B',
    refuses: [
      ['a', '"a"'],
      ['', '""'],
      [undefined, 'undefined'],
      [['A'], 'an array'],
    ],
  },
  {
    reader: 'readFunction',
    read: readFunction(),
    takes: [work, Service],
    allowed: 'a function',
    refuses: [
      ['work', '"work"'],
      [{}, 'an object (Object)'],
      [new Service(), 'an object (Service)'],
      [Object.create(null), 'an object (no prototype)'],
      [Symbol('work'), 'symbol'],
    ],
  },
  {
    reader: 'readClock',
    read: readClock,
    takes: [clock, systemClock],
    allowed: 'a Clock: { now(), setTimer() }',
    refuses: [
      [null, 'null'],
      [{ now: () => 0 }, 'an object (Object)'],
      [Date, 'the function Date'],
      [() => 0, 'a function'],
    ],
  },
];

describe.each(cases)('$reader', ({ read, takes, allowed, refuses }) => {
  test.each(takes.map((value) => ({ value })))('takes $value as it is', ({ value }) => {
    expect(read(value, 'path')).toBe(value);
  });

  test.each(refuses.map(([value, described]) => ({ value, described })))(
    'refuses $described, with its path and what is allowed',
    ({ value, described }) => {
      const refused = (): unknown => read(value, 'options.key');
      expect(refused).toThrow(InvalidOptionsError);
      expect(refused).toThrow(`options.key must be ${allowed}, but is ${described}.`);
    },
  );
});

describe('optional and withDefault', () => {
  test('undefined is let through, or replaced', () => {
    expect(optional(readString)(undefined, 'p')).toBeUndefined();
    expect(withDefault(readString, 'x')(undefined, 'p')).toBe('x');
  });

  test('a value is read', () => {
    expect(optional(readString)('a', 'p')).toBe('a');
    expect(withDefault(readString, 'x')('a', 'p')).toBe('a');
  });

  test('null is a value, and a wrong one', () => {
    expect(() => optional(readString)(null, 'p')).toThrow(InvalidOptionsError);
    expect(() => withDefault(readString, 'x')(null, 'p')).toThrow(InvalidOptionsError);
  });
});

describe('readOptions', () => {
  interface Options {
    readonly name: string;
    readonly timeoutMs: number | undefined;
    readonly readOnly: boolean;
  }
  const read = (raw: unknown): Readonly<Options> =>
    readOptions<Options>(
      raw,
      {
        name: withDefault(readString, 'x'),
        timeoutMs: optional(readDurationMs),
        readOnly: withDefault(readBoolean, false),
      },
      'room options',
    );

  test.each([undefined, {}])('of %p are the defaults, with every key present', (raw) => {
    const options = read(raw);
    expect(options).toEqual({ name: 'x', timeoutMs: undefined, readOnly: false });
    expect(Object.keys(options)).toEqual(['name', 'timeoutMs', 'readOnly']);
  });

  test.each([null, [], new Map(), new Date(0), 'name', 1])('%p is no options object', (raw) => {
    expect(() => read(raw)).toThrow(/^room options must be an options object/);
  });

  test('the result is frozen, and a copy', () => {
    const raw = { name: 'a' };
    const options = read(raw);
    raw.name = 'b';
    expect(options.name).toBe('a');
    expect(Object.isFrozen(options)).toBe(true);
  });

  test('the raw object is not written to', () => {
    const raw = Object.freeze({ name: 'a' });
    expect(read(raw).name).toBe('a');
  });

  test('an explicit undefined is as good as nothing', () => {
    expect(read({ name: undefined })).toEqual(read({}));
  });

  test('a wrong value is named with its whole path', () => {
    expect(() => read({ timeoutMs: 'soon' })).toThrow(
      'room options.timeoutMs must be a number of milliseconds',
    );
  });

  test.each<[unknown, string]>([
    ['name', '"name"'],
    [7, '7'],
    [true, 'true'],
    [[], 'an array'],
    [work, 'the function work'],
  ])('of %p are refused', (raw, described) => {
    expect(() => read(raw)).toThrow(`room options must be an options object, but is ${described}.`);
  });

  test.each([
    ['timeout', 'timeoutMs'],
    ['readonly', 'readOnly'],
    ['nmae', 'name'],
    ['Name', 'name'],
  ])('the unknown key "%s" gets the hint "%s"', (key, hint) => {
    expect(() => read({ [key]: 1 })).toThrow(
      `room options has no option "${key}"; did you mean "${hint}"? Known options: name, timeoutMs, readOnly.`,
    );
  });

  test('an unknown key that is like none gets no hint', () => {
    expect(() => read({ connectionName: 1 })).toThrow(
      'room options has no option "connectionName". Known options: name, timeoutMs, readOnly.',
    );
  });

  test('an unknown key is refused even when its value is undefined', () => {
    expect(() => read({ timeout: undefined })).toThrow(InvalidOptionsError);
  });
});

describe('no message prints what could be a secret', () => {
  const secrets = [
    'postgres://app:hunter2@db.internal:5432/shop',
    'hunter2-which-is-a-password-of-more-than-forty-characters',
    'p@ssword!',
    'two\nlines',
  ];

  test.each(secrets)('%p is "a string"', (secret) => {
    const refused = (): unknown => readDurationMs(secret, 'options.timeoutMs');
    expect(refused).toThrow(/but is a string\.$/);
    expect(refused).not.toThrow(secret);
  });

  test('what an object holds is not printed', () => {
    expect(() => readString({ password: 'hunter2' }, 'options.name')).toThrow(
      /but is an object \(Object\)\.$/,
    );
    expect(() => readString(['hunter2'], 'options.name')).toThrow(/but is an array\.$/);
  });
});
