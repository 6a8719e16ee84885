import { ManualClock } from 'holdfast/testing';
import { readClock } from '../../src/core/index.js';

let clock: ManualClock;
let fired: string[];
beforeEach(() => {
  clock = new ManualClock();
  fired = [];
});
const at = (name: string, delayMs: number) =>
  clock.setTimer(() => fired.push(`${name} at ${clock.now()}`), delayMs);

test('time stands still until it is moved', () => {
  expect(clock.now()).toBe(0);
  at('a', 10);
  clock.advance(9);
  expect(clock.now()).toBe(9);
  expect(fired).toEqual([]);
});

test('timers fire when they are due, in the order of their time, each at its own time', () => {
  at('late', 30);
  at('early', 10);
  at('middle', 20);
  clock.advance(25);
  expect(fired).toEqual(['early at 10', 'middle at 20']);
  expect(clock.now()).toBe(25);
  clock.advance(5);
  expect(fired).toEqual(['early at 10', 'middle at 20', 'late at 30']);
});

test('timers of the same time fire in the order in which they were set', () => {
  at('first', 10);
  at('second', 10);
  clock.advance(10);
  expect(fired).toEqual(['first at 10', 'second at 10']);
});

test('a timer fires once', () => {
  at('a', 10);
  clock.advance(10);
  clock.advance(10);
  expect(fired).toEqual(['a at 10']);
});

test('a timer without delay waits for the next move, even one of 0 ms', () => {
  at('a', 0);
  expect(fired).toEqual([]);
  clock.advance(0);
  expect(fired).toEqual(['a at 0']);
});

test('a cleared timer does not fire; clearing it again, or after it fired, does nothing', () => {
  const cleared = at('cleared', 10);
  const kept = at('kept', 10);
  cleared.clear();
  cleared.clear();
  clock.advance(10);
  kept.clear();
  expect(fired).toEqual(['kept at 10']);
});

test('a timer can clear another one that is due in the same move', () => {
  clock.setTimer(() => other.clear(), 10);
  const other = at('other', 10);
  clock.advance(10);
  expect(fired).toEqual([]);
});

test('a timer that a timer sets fires in the same move when it is due in it', () => {
  clock.setTimer(() => at('inner', 10), 10);
  at('outer', 15);
  clock.advance(30);
  expect(fired).toEqual(['outer at 15', 'inner at 20']);
});

test('a timer that sets itself again ticks through a move', () => {
  const tick = (): void => {
    at('tick', 0);
    clock.setTimer(tick, 10);
  };
  clock.setTimer(tick, 10);
  clock.advance(30);
  expect(fired).toEqual(['tick at 10', 'tick at 20', 'tick at 30']);
});

test('time never goes back, when a timer moves it beyond the move that fired it', () => {
  clock.setTimer(() => clock.advance(100), 5);
  clock.advance(10);
  expect(clock.now()).toBe(105);
});

test('a timer that throws ends the move, and the rest fires with the next', () => {
  clock.setTimer(() => {
    throw new Error('no');
  }, 5);
  at('next', 6);
  expect(() => clock.advance(10)).toThrow('no');
  expect(clock.now()).toBe(5);
  clock.advance(1);
  expect(fired).toEqual(['next at 6']);
});

test.each([-1, Number.NaN])('time cannot be moved by %p', (byMs) => {
  expect(() => clock.advance(byMs)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  expect(clock.now()).toBe(0);
});

test('it is taken wherever a clock is', () => {
  expect(readClock(clock, 'clock')).toBe(clock);
});
