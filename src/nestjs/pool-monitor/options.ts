import { invalid, optional, readBoolean, type Reader, readOptions, withDefault } from '../../core/index.js';
import {
  type OtelMeter,
  parseStatusPageOptions,
  type PoolMonitorOptions,
  type PromMetricsOptions,
  readPoolMonitorOptions,
  type StatusPageOptions,
} from '../../pool-monitor/index.js';

/** Options of the pool monitor in a Nest application: those of `createPoolMonitor`, and where it is to be seen. */
export interface PoolMonitorModuleOptions extends PoolMonitorOptions {
  /**
   * Whether leases carry the route of the HTTP request that they are taken in, and are judged by its end. Default: true.
   */
  readonly labelRequests?: boolean;
  /** A status page of this application at `path`, which is not below a global prefix. Default: none. */
  readonly statusPage?: StatusPageOptions & { readonly path: string };
  /** A meter of OpenTelemetry that the metrics go to: `metrics.getMeter('holdfast')`. Default: none. */
  readonly openTelemetry?: OtelMeter;
  /** The registry of prom-client that the metrics go to: `{ client }`. Default: none. */
  readonly prometheus?: PromMetricsOptions;
}

/** The options, read. */
export interface ParsedPoolMonitorOptions {
  readonly labelRequests: boolean;
  readonly statusPage: (Required<StatusPageOptions> & { readonly path: string }) | undefined;
  readonly openTelemetry: OtelMeter | undefined;
  readonly prometheus: PromMetricsOptions | undefined;
  /** What `createPoolMonitor` is given. */
  readonly monitor: PoolMonitorOptions;
}

const readPath: Reader<string> = (value, path) => {
  if (typeof value !== 'string' || !/^\/[\w.~/-]*[\w.~-]$/.test(value))
    throw invalid(path, value, 'a path without parameters, such as "/internal/pools"');
  return value;
};

const readStatusPage: Reader<Required<StatusPageOptions> & { readonly path: string }> = (value, path) => {
  if (typeof value !== 'object' || value === null) throw invalid(path, value, '{ path, authorize }');
  const { path: where, ...options } = value as StatusPageOptions & { path: string };
  return { path: readPath(where, `${path}.path`), ...parseStatusPageOptions(options, path) };
};

const readObject =
  <T extends object>(allowed: string): Reader<T> =>
  (value, path) => {
    if (typeof value !== 'object' || value === null) throw invalid(path, value, allowed);
    return value as T;
  };

/** Reads the options once. Throws `InvalidOptionsError`. */
export const readPoolMonitorModuleOptions: Reader<ParsedPoolMonitorOptions> = (value, path) => {
  const given = readObject<PoolMonitorModuleOptions>('an options object')(value, path);
  const { labelRequests, statusPage, openTelemetry, prometheus, ...monitor } = given;
  const own = readOptions<Omit<ParsedPoolMonitorOptions, 'monitor'>>(
    { labelRequests, statusPage, openTelemetry, prometheus },
    {
      labelRequests: withDefault(readBoolean, true),
      statusPage: optional(readStatusPage),
      openTelemetry: optional(readObject<OtelMeter>('a Meter of @opentelemetry/api')),
      prometheus: optional(readObject<PromMetricsOptions>('{ client }')),
    },
    path,
  );
  readPoolMonitorOptions(monitor);
  return { ...own, monitor };
};
