export { HoldfastModule } from './holdfast-module.js';
export type { HoldfastModuleAsyncOptions, HoldfastModuleOptions } from './options.js';
export { HoldfastHealthIndicator } from './pool-monitor/health-indicator.js';
export type {
  HealthIndicatorOptions,
  PoolHealth,
  PoolHealthResult,
} from './pool-monitor/health-indicator.js';
export type { PoolMonitorModuleOptions } from './pool-monitor/options.js';
