const asyncHooks = require('node:async_hooks');
const { createRequire } = require('node:module');

// jest's own copy: it is no dependency of ours.
const ofCore = createRequire(createRequire(require.resolve('jest')).resolve('@jest/core'));
const { TestEnvironment } = createRequire(ofCore.resolve('jest-config'))('jest-environment-node');

/** What the code of the current file has made of these, packages included. */
const made = new Set();
const { AsyncLocalStorage: Original, createHook } = asyncHooks;

asyncHooks.AsyncLocalStorage = class AsyncLocalStorage extends Original {
  constructor(...options) {
    super(...options);
    made.add(this);
  }
};

asyncHooks.createHook = (callbacks) => {
  const hook = createHook(callbacks);
  made.add(hook);
  return hook;
};

/**
 * Ends the asynchronous contexts of a file with it. Until Node 24 each that was ever entered is handed on to every promise of
 * the process: the files of a worker would take longer and longer, the last ones several times what they take alone.
 */
module.exports = class extends TestEnvironment {
  async teardown() {
    await super.teardown();
    for (const context of made) context.disable();
    made.clear();
  }
};
