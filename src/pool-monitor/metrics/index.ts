export { DURATION_BOUNDS_S } from './duration-histogram.js';
export { PoolStatistics } from './pool-statistics.js';
export type { DurationListener, DurationSource, PoolDuration } from './pool-statistics.js';
export { bindOpenTelemetry } from './open-telemetry.js';
export type { OtelMeter, OtelObservable, OtelObservableResult } from './open-telemetry.js';
export { registerPromMetrics } from './prom-client.js';
export type {
  PromClient,
  PromHistogram,
  PromMetric,
  PromMetricsOptions,
  PromRegistry,
} from './prom-client.js';
