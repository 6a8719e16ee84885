import { setImmediate } from 'node:timers/promises';

/**
 * Loads something while a server works at what is on its way when this turn of the event loop ends. That it cannot be loaded
 * is told to whoever waits for it.
 */
export function whileWaiting<T>(load: () => Promise<T>): Promise<T> {
  const loading = setImmediate().then(load);
  loading.catch(() => undefined);
  return loading;
}
