import { invalid } from '../../core/index.js';
import type { DurationCounts, MonitorView, PoolMetrics } from '../view.js';
import { DURATION_BOUNDS_S } from './duration-histogram.js';

type Labels = Record<string, string | number>;

interface MetricOptions {
  name: string;
  help: string;
  labelNames: string[];
  registers: never[];
}

interface Sample {
  readonly metricName: string;
  readonly value: number;
  readonly labels: Labels;
}

/** A `Gauge` or `Counter` of prom-client. */
export interface PromMetric {
  reset(): void;
  inc(labels: Labels, value: number): void;
}

/** A `Histogram` of prom-client. */
export interface PromHistogram {
  get(): Promise<unknown>;
}

/** A `Registry` of prom-client. */
export interface PromRegistry {
  registerMetric(metric: never): void;
  removeSingleMetric(name: string): void;
}

/**
 * The module `prom-client` 14 or newer, as far as it is used. Described and not imported: an application without it does
 * not have its types.
 */
export interface PromClient {
  readonly register: PromRegistry;
  readonly Gauge: new (options: MetricOptions) => PromMetric;
  readonly Counter: new (options: MetricOptions) => PromMetric;
  readonly Histogram: new (options: MetricOptions & { buckets: number[] }) => PromHistogram;
}

/** Options of {@link registerPromMetrics}. */
export interface PromMetricsOptions {
  /** The module `prom-client`: `import * as client from 'prom-client'`. */
  readonly client: PromClient;
  /** Where the metrics go. Default: the registry of the module, `client.register`. */
  readonly register?: PromRegistry;
}

const PREFIX = 'db_client_connection';
const POOL_NAME = `${PREFIX}_pool_name`;
const STATE = `${PREFIX}_state`;

interface Reading {
  readonly name: string;
  readonly help: string;
  readonly type: 'Gauge' | 'Counter';
  readonly values: (pool: PoolMetrics) => readonly [number | undefined, Labels?][];
}

/** The names that OpenTelemetry's own Prometheus exporter gives to the metrics of the semantic conventions. */
const READINGS: readonly Reading[] = [
  {
    name: `${PREFIX}_count`,
    help: 'Connections that are in the state that the label says.',
    type: 'Gauge',
    values: ({ idle, inUse }) => [
      [idle, { [STATE]: 'idle' }],
      [inUse, { [STATE]: 'used' }],
    ],
  },
  {
    name: `${PREFIX}_limit`,
    help: 'The most connections that the pool opens.',
    type: 'Gauge',
    values: ({ max }) => [[max]],
  },
  {
    name: `${PREFIX}_max`,
    help: `The most connections that the pool opens. The older name of ${PREFIX}_limit.`,
    type: 'Gauge',
    values: ({ max }) => [[max]],
  },
  {
    name: `${PREFIX}_idle_max`,
    help: 'The most connections that the pool keeps open without use.',
    type: 'Gauge',
    values: ({ idleMax }) => [[idleMax]],
  },
  {
    name: `${PREFIX}_idle_min`,
    help: 'The fewest connections that the pool keeps open without use.',
    type: 'Gauge',
    values: ({ idleMin }) => [[idleMin]],
  },
  {
    name: `${PREFIX}_pending_requests`,
    help: 'Requests that wait for a connection.',
    type: 'Gauge',
    values: ({ pending }) => [[pending]],
  },
  {
    name: `${PREFIX}_timeouts_total`,
    help: 'Requests that got no connection in time.',
    type: 'Counter',
    values: ({ timeouts }) => [[timeouts]],
  },
  {
    name: 'holdfast_pool_leases_leaked',
    help: 'Connections that are lent and, by verdict, never come back.',
    type: 'Gauge',
    values: ({ leaked }) => [[leaked]],
  },
  {
    name: 'holdfast_pool_leases_suspected',
    help: 'Connections that are lent and have not been used for long.',
    type: 'Gauge',
    values: ({ suspected }) => [[suspected]],
  },
];

interface Distribution {
  readonly name: string;
  readonly help: string;
  readonly counts: (pool: PoolMetrics) => DurationCounts;
}

const DISTRIBUTIONS: readonly Distribution[] = [
  {
    name: `${PREFIX}_wait_time_seconds`,
    help: 'Time until a request got its connection.',
    counts: ({ waitTime }) => waitTime,
  },
  {
    name: `${PREFIX}_use_time_seconds`,
    help: 'Time from the loan of a connection to its return.',
    counts: ({ useTime }) => useTime,
  },
  {
    name: `${PREFIX}_create_time_seconds`,
    help: 'Time to open a connection.',
    counts: ({ createTime }) => createTime,
  },
];

/**
 * Registers what the monitor counts with prom-client. All of it is read when it is scraped, and nothing asks a pool for
 * a connection. Throws what prom-client does where the registry has these metrics already. Returns what takes them out
 * of the registry again.
 *
 * @throws InvalidOptionsError for what is not the module.
 *
 * @example
 * ```ts
 * import * as client from 'prom-client';
 * registerPromMetrics(monitor, { client });
 * ```
 */
export function registerPromMetrics(
  view: Pick<MonitorView, 'metrics'>,
  options: PromMetricsOptions,
): () => void {
  const { client, register = client?.register } = options ?? {};
  if (typeof (client as PromClient | undefined)?.Histogram !== 'function')
    throw invalid('registerPromMetrics(view, options): options.client', client, 'the module prom-client');
  if (typeof (register as PromRegistry | undefined)?.registerMetric !== 'function')
    throw invalid('registerPromMetrics(view, options): options.register', register, 'a Registry');
  const names: string[] = [];
  const add = (name: string, metric: object): void => {
    register.registerMetric(metric as never);
    names.push(name);
  };
  const unregister = (): void => {
    for (const name of names) register.removeSingleMetric(name);
  };
  try {
    for (const reading of READINGS) add(reading.name, readingMetric(view, client, reading));
    for (const each of DISTRIBUTIONS) add(each.name, distributionMetric(view, client, each));
  } catch (error) {
    unregister();
    throw error;
  }
  return unregister;
}

type Metrics = Pick<MonitorView, 'metrics'>;

function readingMetric(view: Metrics, client: PromClient, { name, help, type, values }: Reading): object {
  const options = {
    name,
    help,
    labelNames: name === `${PREFIX}_count` ? [POOL_NAME, STATE] : [POOL_NAME],
    registers: [],
    // Counters have no set(): from zero, each time that they are read.
    collect(this: PromMetric): void {
      this.reset();
      for (const pool of view.metrics())
        for (const [value, labels] of values(pool))
          if (value !== undefined) this.inc({ [POOL_NAME]: pool.pool, ...labels }, value);
    },
  };
  return new client[type](options);
}

/** prom-client's own histogram can be fed single durations only; ours are counted already. */
function distributionMetric(
  view: Metrics,
  client: PromClient,
  { name, help, counts }: Distribution,
): PromHistogram {
  class Counted extends client.Histogram {
    override async get(): Promise<unknown> {
      const values = view.metrics().flatMap((pool) => samplesOf(name, pool.pool, counts(pool)));
      return { name, help, type: 'histogram', values, aggregator: 'sum' };
    }

    /** What prom-client 15 asks for its text. */
    getForPromString(): Promise<unknown> {
      return this.get();
    }
  }
  return new Counted({
    name,
    help,
    labelNames: [POOL_NAME],
    registers: [],
    buckets: [...DURATION_BOUNDS_S],
  });
}

/** As Prometheus has them: each bucket with those below it. */
function samplesOf(name: string, pool: string, { boundsS, counts, sumS, count }: DurationCounts): Sample[] {
  let below = 0;
  const bucket = (le: number | string, value: number): Sample => ({
    metricName: `${name}_bucket`,
    value,
    labels: { le, [POOL_NAME]: pool },
  });
  return [
    ...boundsS.map((bound, index) => bucket(bound, (below += counts[index]!))),
    bucket('+Inf', count),
    { metricName: `${name}_sum`, value: sumS, labels: { [POOL_NAME]: pool } },
    { metricName: `${name}_count`, value: count, labels: { [POOL_NAME]: pool } },
  ];
}
