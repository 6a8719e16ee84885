import { invalid } from '../../core/index.js';
import type { MonitorView, PoolMetrics } from '../view.js';
import { DURATION_BOUNDS_S } from './duration-histogram.js';
import type { DurationSource, PoolDuration } from './pool-statistics.js';

interface InstrumentOptions {
  description?: string;
  unit?: string;
  advice?: { explicitBucketBoundaries?: number[] };
}

type InstrumentAttributes = Record<string, string>;

/** An instrument of `@opentelemetry/api` that is read when metrics are collected. */
export interface OtelObservable {
  addCallback(callback: never): void;
}

/** What the instruments are read into. */
export interface OtelObservableResult {
  observe(instrument: OtelObservable, value: number, attributes?: InstrumentAttributes): void;
}

type Collect = (result: OtelObservableResult) => void;

/**
 * A `Meter` of `@opentelemetry/api` 1.7 or newer, as far as it is used. Described and not imported: an application without
 * OpenTelemetry does not have its types.
 */
export interface OtelMeter {
  createHistogram(
    name: string,
    options?: InstrumentOptions,
  ): { record(value: number, attributes?: InstrumentAttributes): void };
  createObservableUpDownCounter(name: string, options?: InstrumentOptions): OtelObservable;
  createObservableCounter(name: string, options?: InstrumentOptions): OtelObservable;
  addBatchObservableCallback(callback: Collect, observables: OtelObservable[]): void;
  removeBatchObservableCallback(callback: Collect, observables: OtelObservable[]): void;
}

const PREFIX = 'db.client.connection';
const POOL_NAME = `${PREFIX}.pool.name`;
const STATE = `${PREFIX}.state`;

interface Gauge {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly values: (pool: PoolMetrics) => readonly [number | undefined, InstrumentAttributes?][];
}

const GAUGES: readonly Gauge[] = [
  {
    name: `${PREFIX}.count`,
    unit: '{connection}',
    description: 'Connections that are in the state that the attribute says.',
    values: ({ idle, inUse }) => [
      [idle, { [STATE]: 'idle' }],
      [inUse, { [STATE]: 'used' }],
    ],
  },
  {
    name: `${PREFIX}.limit`,
    unit: '{connection}',
    description: 'The most connections that the pool opens.',
    values: ({ max }) => [[max]],
  },
  {
    // Its name before September 2026, which most dashboards ask for.
    name: `${PREFIX}.max`,
    unit: '{connection}',
    description: `The most connections that the pool opens. The older name of ${PREFIX}.limit.`,
    values: ({ max }) => [[max]],
  },
  {
    name: `${PREFIX}.idle.max`,
    unit: '{connection}',
    description: 'The most connections that the pool keeps open without use.',
    values: ({ idleMax }) => [[idleMax]],
  },
  {
    name: `${PREFIX}.idle.min`,
    unit: '{connection}',
    description: 'The fewest connections that the pool keeps open without use.',
    values: ({ idleMin }) => [[idleMin]],
  },
  {
    name: `${PREFIX}.pending_requests`,
    unit: '{request}',
    description: 'Requests that wait for a connection.',
    values: ({ pending }) => [[pending]],
  },
  {
    name: 'holdfast.pool.leases.leaked',
    unit: '{lease}',
    description: 'Connections that are lent and, by verdict, never come back.',
    values: ({ leaked }) => [[leaked]],
  },
  {
    name: 'holdfast.pool.leases.suspected',
    unit: '{lease}',
    description: 'Connections that are lent and have not been used for long.',
    values: ({ suspected }) => [[suspected]],
  },
];

const DURATIONS: Readonly<Record<PoolDuration, { readonly name: string; readonly description: string }>> = {
  wait: { name: `${PREFIX}.wait_time`, description: 'Time until a request got its connection.' },
  use: { name: `${PREFIX}.use_time`, description: 'Time from the loan of a connection to its return.' },
  create: { name: `${PREFIX}.create_time`, description: 'Time to open a connection.' },
};

/**
 * Puts what the monitor counts onto a meter of OpenTelemetry, under the names of the semantic conventions: the gauges
 * and the timeouts are read when metrics are collected, each duration is recorded as it ends. Nothing of it asks a pool
 * for a connection. Returns what takes it off the meter again.
 *
 * @param view The pool monitor.
 * @param meter `metrics.getMeter('holdfast')` of `@opentelemetry/api`.
 * @throws InvalidOptionsError for what is no meter.
 *
 * @example
 * ```ts
 * import { metrics } from '@opentelemetry/api';
 * bindOpenTelemetry(monitor, metrics.getMeter('holdfast'));
 * ```
 */
export function bindOpenTelemetry(
  view: Pick<MonitorView, 'metrics'> & DurationSource,
  meter: OtelMeter,
): () => void {
  if (typeof (meter as OtelMeter | undefined)?.addBatchObservableCallback !== 'function')
    throw invalid('bindOpenTelemetry(view, meter)', meter, 'a Meter of @opentelemetry/api');
  const gauges = GAUGES.map(({ name, unit, description, values }) => ({
    instrument: meter.createObservableUpDownCounter(name, { unit, description }),
    values,
  }));
  const timeouts = meter.createObservableCounter(`${PREFIX}.timeouts`, {
    unit: '{timeout}',
    description: 'Requests that got no connection in time.',
  });
  const collect: Collect = (result) => {
    for (const pool of view.metrics()) {
      const attributes = { [POOL_NAME]: pool.pool };
      for (const { instrument, values } of gauges)
        for (const [value, more] of values(pool))
          if (value !== undefined) result.observe(instrument, value, { ...attributes, ...more });
      result.observe(timeouts, pool.timeouts, attributes);
    }
  };
  const observed = [...gauges.map(({ instrument }) => instrument), timeouts];
  meter.addBatchObservableCallback(collect, observed);
  const stop = recordDurations(view, meter);
  return () => {
    stop();
    meter.removeBatchObservableCallback(collect, observed);
  };
}

function recordDurations(source: DurationSource, meter: OtelMeter): () => void {
  const histogram = ({ name, description }: { name: string; description: string }) =>
    meter.createHistogram(name, {
      unit: 's',
      description,
      advice: { explicitBucketBoundaries: [...DURATION_BOUNDS_S] },
    });
  const histograms = {
    wait: histogram(DURATIONS.wait),
    use: histogram(DURATIONS.use),
    create: histogram(DURATIONS.create),
  };
  const attributes = new Map<string, InstrumentAttributes>();
  const of = (pool: string): InstrumentAttributes => {
    const known = attributes.get(pool) ?? { [POOL_NAME]: pool };
    attributes.set(pool, known);
    return known;
  };
  return source.onDuration((pool, duration, ms) => histograms[duration].record(ms / 1000, of(pool)));
}
