import { ManualClock } from 'holdfast/testing';
import { delay, systemClock } from '../../src/core/index.js';

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('a timer of the system clock fires after its delay, in milliseconds of that clock', async () => {
  const start = systemClock.now();
  await new Promise<void>((resolve) => systemClock.setTimer(resolve, 20));
  // Node's timers count whole milliseconds, and may be up to one early.
  expect(systemClock.now() - start).toBeGreaterThanOrEqual(19);
});

test('a cleared timer of the system clock does not fire', async () => {
  const callback = jest.fn();
  const timer = systemClock.setTimer(callback, 1);
  timer.clear();
  timer.clear();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(callback).not.toHaveBeenCalled();
});

test('a timer of the system clock does not hold the process open', () => {
  const before = timers();
  const timer = systemClock.setTimer(() => undefined, 60_000);
  expect(timers()).toBe(before);
  timer.clear();
});

describe('delay', () => {
  test('of the system clock resolves after its time, and holds the process open: somebody waits for it', async () => {
    const before = timers();
    const waiting = delay(systemClock, 10);
    expect(timers()).toBe(before + 1);
    await expect(waiting).resolves.toBeUndefined();
  });

  test('of another clock resolves when that one says so', async () => {
    const clock = new ManualClock();
    let isOver = false;
    const waiting = delay(clock, 60_000).then(() => (isOver = true));
    clock.advance(59_999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    clock.advance(1);
    await waiting;
    expect(isOver).toBe(true);
  });
});
