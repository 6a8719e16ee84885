import { readFunction, readOptions } from '../../../core/index.js';
import type { Alert, AlertSink } from '../alert.js';
import { type SinkOptions, sinkShape } from './sink-options.js';

/**
 * Hands each alert to a function. What it throws or rejects with is tried again, unless it is a `SinkError` whose
 * `retryable` is false. Throws `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const sink = functionSink(async ({ title, severity }) => pager.notify(title, severity));
 * ```
 */
export function functionSink(
  send: (alert: Alert, signal: AbortSignal) => unknown,
  options: SinkOptions = {},
): AlertSink {
  const call = readFunction<typeof send>()(send, 'functionSink(send)');
  const { name, minSeverity } = readOptions<Required<SinkOptions>>(
    options,
    sinkShape('function'),
    'functionSink',
  );
  return {
    name,
    minSeverity,
    async send(alert, signal) {
      await call(alert, signal);
    },
  };
}
