import { setLogger } from 'holdfast';
import { DURATION_BOUNDS_S, PoolStatistics } from '../../../src/pool-monitor/metrics/index.js';

afterEach(() => setLogger(undefined));

test('durations fall into the bucket whose bound they do not exceed', () => {
  const statistics = new PoolStatistics('main');
  for (const ms of [0, 1, 1.001, 5, 100, 10_000, 10_001, 3_600_000]) statistics.waited(ms);

  const { waitTime } = statistics.snapshot();
  expect(waitTime.boundsS).toEqual([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]);
  expect(waitTime.counts).toEqual([2, 2, 0, 0, 1, 0, 0, 0, 1, 2]);
  expect(waitTime.count).toBe(8);
  expect(waitTime.sumS).toBeCloseTo(3620.108001, 6);
});

test('the three durations and the timeouts are counted apart', () => {
  const statistics = new PoolStatistics('main');
  statistics.waited(1);
  statistics.used(20);
  statistics.used(30);
  statistics.created(400);
  statistics.timedOut();

  const { waitTime, useTime, createTime, timeouts } = statistics.snapshot();
  expect([waitTime, useTime, createTime].map(({ count }) => count)).toEqual([1, 2, 1]);
  expect([waitTime, useTime, createTime].map(({ sumS }) => sumS)).toEqual([0.001, 0.05, 0.4]);
  expect(timeouts).toBe(1);
});

test('a snapshot does not change with what comes later', () => {
  const statistics = new PoolStatistics('main');
  const before = statistics.snapshot();
  statistics.used(5);

  expect(before.useTime.count).toBe(0);
  expect(before.useTime.counts).toEqual(Array.from({ length: DURATION_BOUNDS_S.length + 1 }, () => 0));
});

test('listeners hear of each duration until they are taken off', () => {
  const statistics = new PoolStatistics('main');
  const heard: unknown[] = [];
  const stop = statistics.onDuration((...event) => heard.push(event));
  statistics.waited(1);
  statistics.used(2);
  statistics.created(3);
  stop();
  statistics.used(4);

  expect(heard).toEqual([
    ['main', 'wait', 1],
    ['main', 'use', 2],
    ['main', 'create', 3],
  ]);
});

test('a listener that throws is logged and taken off; the others and the counts go on', () => {
  const logged: string[] = [];
  const ignore = (): void => undefined;
  setLogger({ debug: ignore, info: ignore, warn: ignore, error: (_, message) => logged.push(message) });
  const statistics = new PoolStatistics('main');
  let heard = 0;
  statistics.onDuration(() => {
    throw new Error('of the listener');
  });
  statistics.onDuration(() => heard++);
  statistics.used(1);
  statistics.used(1);

  expect(heard).toBe(2);
  expect(statistics.snapshot().useTime.count).toBe(2);
  expect(logged).toEqual([expect.stringContaining('a listener for the durations of a pool threw')]);
});
