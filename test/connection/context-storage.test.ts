import { AsyncLocalStorage } from 'node:async_hooks';
import { InvalidOptionsError, runOutsideTransaction } from 'holdfast';
import { type Frame, currentFrame, useContextStorage } from 'holdfast/connection';

// One process, one choice: these tests run in order.
const first = new AsyncLocalStorage<Frame | undefined>();

test('frames are kept in the storage that was chosen before the first one', () => {
  useContextStorage(first);

  runOutsideTransaction(() => {
    expect(first.getStore()).toBeDefined();
    expect(currentFrame()).toBe(first.getStore());
  });
});

test('the same storage may be chosen again, another one may not once a frame was kept', () => {
  useContextStorage(first);

  expect(() => useContextStorage(new AsyncLocalStorage<Frame | undefined>())).toThrow(InvalidOptionsError);
});
