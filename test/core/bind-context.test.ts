import { AsyncLocalStorage } from 'node:async_hooks';
import { bindContext } from '../../src/core/index.js';

const storage = new AsyncLocalStorage<string>();

test('runs in the context in which it was bound, whatever the context of its caller', () => {
  const bound = storage.run('binder', () => bindContext(() => storage.getStore()));
  expect(storage.run('caller', bound)).toBe('binder');
  expect(bound()).toBe('binder');
});

test('leaves its caller in the context that the caller had', () => {
  const bound = storage.run('binder', () => bindContext(() => undefined));
  storage.run('caller', () => {
    bound();
    expect(storage.getStore()).toBe('caller');
  });
});

test('passes arguments on, and what comes of them: a value or an error', () => {
  const bound = bindContext((text: string, times: number) => text.repeat(times));
  expect(bound('ab', 2)).toBe('abab');
  expect(() => bound('ab', -1)).toThrow(RangeError);
});
