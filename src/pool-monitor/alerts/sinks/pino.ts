import { getLogger, type Logger, readLogger, readOptions } from '../../../core/index.js';
import type { AlertSink } from '../alert.js';
import { type SinkOptions, sinkShape } from './sink-options.js';

/**
 * Logs each alert: `critical` as an error, `warning` as a warning, the rest and what is resolved as information. Quiet
 * hours and the storm cap are not for it. `logger`: pino, or anything of its shape; default: the logger of `setLogger()`.
 * Throws `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const sink = pinoSink(pino({ name: 'alerts' }));
 * ```
 */
export function pinoSink(logger?: Logger, options: SinkOptions = {}): AlertSink {
  const given = logger === undefined ? undefined : readLogger(logger, 'pinoSink(logger)');
  const { name, minSeverity } = readOptions<Required<SinkOptions>>(
    options,
    sinkShape('log', 'info'),
    'pinoSink',
  );
  return {
    name,
    minSeverity,
    quietHours: 'ignored',
    stormCap: 'ignored',
    send(alert) {
      const { title, status, severity } = alert;
      const log = given ?? getLogger();
      const message =
        status === 'resolved' ? `Resolved: ${title}. ${alert.summary}` : `${title}. ${alert.summary}`;
      if (status === 'resolved' || severity === 'info') log.info({ alert }, message);
      else if (severity === 'warning') log.warn({ alert }, message);
      else log.error({ alert }, message);
      return Promise.resolve();
    },
  };
}
