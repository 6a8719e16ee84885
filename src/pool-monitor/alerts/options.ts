import {
  invalid,
  optional,
  type Reader,
  readDurationMs,
  readInteger,
  readOptions,
  withDefault,
} from '../../core/index.js';
import type { AlertSink } from './alert.js';
import { type QuietHours, readQuietHours } from './quiet-hours.js';
import { SEVERITIES } from './severity.js';
import { pinoSink } from './sinks/pino.js';

/** How many alerts a sink may get before the rest is held back. */
export interface StormCap {
  /** Messages of one interval. */
  readonly max: number;
  readonly perMs: number;
}

/** Limits of the delivery to each sink. */
export interface DeliveryLimits {
  /** Alerts that may wait; beyond, the oldest is dropped. */
  readonly queue: number;
  /** Tries for one alert. */
  readonly tries: number;
  /** How long one try may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How long `close()` may take to send what waits, in milliseconds. */
  readonly flushMs: number;
}

/** The options of alerts, read. */
export interface AlertOptions {
  readonly sinks: readonly AlertSink[];
  /** How long the first sign waits for company before it is told, in milliseconds. */
  readonly groupMs: number;
  /** After how long what still fires is told again, in milliseconds. */
  readonly repeatMs: number;
  /** How long a problem must be over before it is told as resolved, in milliseconds. */
  readonly resolveMs: number;
  /** How often a sink that can change its messages is told of new numbers at most, in milliseconds. */
  readonly updateMs: number;
  readonly stormCap: StormCap;
  readonly quietHours: QuietHours | undefined;
  readonly delivery: DeliveryLimits;
}

/** The options of alerts as they are given: all of them may be left out. */
export interface AlertOptionsInput extends Partial<
  Omit<AlertOptions, 'stormCap' | 'quietHours' | 'delivery'>
> {
  readonly stormCap?: Partial<StormCap>;
  readonly quietHours?: Omit<QuietHours, 'pass'> & Partial<Pick<QuietHours, 'pass'>>;
  readonly delivery?: Partial<DeliveryLimits>;
}

const readSink: Reader<AlertSink> = (value, path) => {
  const sink = (value ?? {}) as Partial<Record<keyof AlertSink, unknown>>;
  if (typeof sink.name !== 'string' || sink.name === '' || typeof sink.send !== 'function')
    throw invalid(path, value, 'a sink: slackWebhook(…), webhook(…) or { name, send(alert, signal) }');
  if (sink.minSeverity !== undefined && !(SEVERITIES as readonly unknown[]).includes(sink.minSeverity))
    throw invalid(`${path}.minSeverity`, sink.minSeverity, `one of ${SEVERITIES.join(', ')}`);
  return value as AlertSink;
};

const readSinks: Reader<readonly AlertSink[]> = (value, path) => {
  if (!Array.isArray(value)) throw invalid(path, value, 'an array of sinks');
  const sinks = value.map((sink, index) => readSink(sink, `${path}[${index}]`));
  const twice = sinks.find(({ name }, index) => sinks.findIndex((sink) => sink.name === name) !== index);
  if (twice) throw invalid(path, value, `sinks with names of their own: two are called "${twice.name}"`);
  return Object.freeze(sinks);
};

const readStormCap: Reader<StormCap> = (value, path) =>
  readOptions<StormCap>(
    value,
    { max: withDefault(readInteger(1, 1000), 10), perMs: withDefault(readDurationMs, 600_000) },
    path,
  );

const readDelivery: Reader<DeliveryLimits> = (value, path) =>
  readOptions<DeliveryLimits>(
    value,
    {
      queue: withDefault(readInteger(1, 10_000), 100),
      tries: withDefault(readInteger(1, 100), 5),
      timeoutMs: withDefault(readDurationMs, 5000),
      flushMs: withDefault(readDurationMs, 2000),
    },
    path,
  );

/** Reads the options of alerts, at the door. Throws `InvalidOptionsError`. */
export function readAlertOptions(raw: unknown, path = 'alerts'): AlertOptions {
  return readOptions<AlertOptions>(
    raw,
    {
      // A log that is there costs nothing and wakes nobody.
      sinks: (value, at) => (value === undefined ? [pinoSink()] : readSinks(value, at)),
      groupMs: withDefault(readDurationMs, 10_000),
      repeatMs: withDefault(readDurationMs, 4 * 3_600_000),
      resolveMs: withDefault(readDurationMs, 60_000),
      updateMs: withDefault(readDurationMs, 30_000),
      stormCap: readStormCap,
      quietHours: optional(readQuietHours),
      delivery: readDelivery,
    },
    path,
  );
}
