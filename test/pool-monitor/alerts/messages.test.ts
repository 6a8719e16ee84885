import { formatMs, formatRange } from '../../../src/pool-monitor/format.js';
import { forecastFull } from '../../../src/pool-monitor/alerts/forecast.js';
import { plainText, shorten } from '../../../src/pool-monitor/alerts/plain-text.js';
import { titleOf } from '../../../src/pool-monitor/alerts/wording.js';
import type { FindingKind } from '../../../src/pool-monitor/finding.js';
import { leaseOf, recordLog, Service, SITE } from './service.js';

beforeEach(() => void recordLog());

describe('the title says what is wrong and where', () => {
  const numbers = { pool: 'orders', leaked: 3, suspected: 2, count: 4, inUse: 10, max: 10, waiting: 7 };

  test.each<[FindingKind, string | undefined, string]>([
    ['leak', SITE, `3 connections leaked by ${SITE}`],
    ['suspect', SITE, `2 connections may be leaking at ${SITE}`],
    ['exhausted', undefined, 'Pool orders is exhausted: 10 of 10 in use, 7 waiting'],
    ['pressure', undefined, 'Pool orders is under pressure: 10 of 10 in use, 7 waiting'],
    ['self-deadlock', undefined, 'Pool orders waits for itself: every holder needs one more connection'],
    [
      'self-deadlock',
      SITE,
      `Pool orders waits for itself at ${SITE}: every holder needs one more connection`,
    ],
    ['dirty-release', SITE, `${SITE} gave a connection back inside a transaction (4 times)`],
    ['double-release', SITE, `${SITE} released a connection twice (4 times)`],
    ['stale-use', SITE, `${SITE} used a connection after its release (4 times)`],
    ['long-transaction', SITE, `${SITE} keeps a transaction open`],
    ['late-return', SITE, `${SITE} gave a connection back late (4 times): slow, not leaked`],
    ['leak', undefined, '3 connections leaked by pool orders'],
  ])('%s at %s', (kind, site, title) => {
    expect(titleOf({ kind, site, ...numbers })).toBe(title);
  });
});

test.each([
  [0, '0 ms'],
  [850, '850 ms'],
  [1000, '1 s'],
  [119_000, '1 min 59 s'],
  [150_000, '2 min 30 s'],
  [720_000, '12 min'],
  [7_200_000, '2 h'],
  [93_900_000, '26 h 5 min'],
  [259_200_000, '3 d'],
  [270_000_000, '3 d 3 h'],
])('%d ms is written as %s', (ms, text) => expect(formatMs(ms)).toBe(text));

test.each<[[number, number], string]>([
  [[240_000, 540_000], '4 to 9 min'],
  [[40_000, 200_000], '40 s to 3 min'],
  [[240_000, 241_000], '4 min'],
])('%j is written as %s', (range, text) => expect(formatRange(range)).toBe(text));

describe('when the pool will be full', () => {
  /** A pool of ten with leases that leaked so many seconds ago, and others in use. */
  function forecast(agesS: readonly number[], { inUse = agesS.length, verdict = 'leak' as const } = {}) {
    const service = new Service();
    service.leases = agesS.map((age, id) => leaseOf({ id, ageMs: age * 1000, verdict }));
    service.counts = { max: 10, total: 10, inUse, idle: 10 - inUse, pending: 0 };
    return forecastFull(service.report().pools[0]!);
  }

  test.each([
    ['one a minute', [360, 300, 240, 180], 60],
    ['one in ten seconds', [80, 70, 60, 50], 10],
  ])('at %s: the range holds the time at which it is', (_, ages, everyS) => {
    const [earliest, latest] = forecast(ages)!;
    // The youngest of those that are judged is not the last one that leaked.
    const leakedByNow = 1 + Math.floor(ages[0]! / everyS);
    const actual = (10 - leakedByNow) * everyS * 1000;
    expect(earliest / 1000).toBeLessThan((10 - ages.length) * everyS);
    expect(latest).toBeGreaterThan(actual);
    expect(earliest).toBeLessThan(latest);
  });

  test('what is in use besides brings the near end nearer', () => {
    const [alone] = forecast([360, 300, 240, 180])!;
    const [busy] = forecast([360, 300, 240, 180], { inUse: 8 })!;
    expect(busy).toBeCloseTo(alone / 3);
  });

  test.each<[string, readonly number[], { inUse?: number }]>([
    ['of two leaks', [360, 300], {}],
    ['of leaks at one moment', [300, 300, 300, 300], {}],
    ['of a pool that is full', [360, 300, 240, 180], { inUse: 10 }],
    ['in more than a day', [800_000, 400_000, 100], {}],
  ])('cannot be told %s', (_, ages, options) => {
    expect(forecast(ages, options)).toBeUndefined();
  });
});

describe('text of the application', () => {
  test.each([
    ['postgres://app:s3cret@db/orders', 'postgres://…@db/orders'],
    ['mysql://root@db', 'mysql://…@db'],
    ['a\u0000b\u202ec\ttab', 'a b c tab'],
    ['two\nlines', 'two\nlines'],
    ['me@example.com', 'me@example.com'],
  ])('%j becomes %j', (text, plain) => expect(plainText(text, 100)).toBe(plain));

  test('is cut between characters', () => {
    expect(shorten('abcdef', 4)).toBe('abc…');
    expect(shorten('ab😀def', 4)).toBe('ab…');
    expect(shorten('abcd', 4)).toBe('abcd');
  });
});
