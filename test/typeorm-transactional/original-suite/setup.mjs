import { expect, jest } from '@jest/globals';

// The tests are CommonJS for jest 28: there jest is a global, and matchers have names that jest 30 has dropped.
Object.assign(globalThis, { jest });

const answer = (pass, received) => ({ pass, message: () => `received ${received}` });

expect.extend({
  toThrowError: (error, Expected = Error) => answer(error instanceof Expected, error),
  toBeCalledTimes: (spy, count) => answer(spy.mock.calls.length === count, spy.mock.calls.length),
  toBeCalledWith(spy, ...args) {
    return answer(
      spy.mock.calls.some((call) => this.equals(call, args)),
      JSON.stringify(spy.mock.calls),
    );
  },
});
