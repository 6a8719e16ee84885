import { pollLock } from '../../../src/migrations/locks/poll-lock.js';
import type { LockHolder } from '../../../src/migrations/locks/lock.js';
import { ManualClock } from '../../../src/testing/index.js';

/** What is told to whoever waits, where the lock has these holders at one try after the other, and then none. */
async function toldOf(holders: readonly (LockHolder | undefined)[]): Promise<(LockHolder | undefined)[]> {
  const clock = new ManualClock();
  const told: (LockHolder | undefined)[] = [];
  let tries = 0;
  let isOver = false;
  const waiting = pollLock(
    {
      label: 'the lock',
      clock,
      tryAcquire: () => Promise.resolve(tries === holders.length),
      holder: () => Promise.resolve(holders[tries++]),
    },
    { waitMs: 60_000, onWaiting: (holder) => void told.push(holder) },
  ).then(() => (isOver = true));
  while (!isOver) {
    clock.advance(1000);
    await new Promise(setImmediate);
  }
  await waiting;
  return told;
}

test('whoever waits is told once of a holder whose time comes out a second later the next time', async () => {
  const [one, later] = [12, 13].map((second) => new Date(Date.UTC(2026, 0, 31, 12, 30, second)));
  const holder = { pid: 1, host: 'a', backendId: 7, migration: 'V1__x.sql' };

  expect(
    await toldOf([
      { ...holder, since: one! },
      { ...holder, since: later! },
      undefined,
      { ...holder, since: one! },
    ]),
  ).toEqual([{ ...holder, since: one }]);
});

test('whoever waits is told of another holder, and of another migration', async () => {
  const holders = [undefined, { pid: 1 }, { pid: 1, migration: 'V1__x.sql' }, { pid: 2 }];

  expect(await toldOf(holders)).toEqual(holders);
});
