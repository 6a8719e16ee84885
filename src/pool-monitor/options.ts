import { hostname } from 'node:os';
import {
  type Clock,
  invalid,
  optional,
  readClock,
  readDurationMs,
  type Reader,
  readFunction,
  readInteger,
  readOneOf,
  readOptions,
  readString,
  systemClock,
  withDefault,
} from '../core/index.js';
import type { ManageablePool } from '../connection/index.js';
import { type AlertOptions, type AlertOptionsInput, readAlertOptions } from './alerts/index.js';
import { readThresholds, type Thresholds } from './thresholds.js';

/** Whether leaked connections are taken back: `dry-run` says which would be. */
export type ReclaimMode = 'off' | 'dry-run' | 'on';

/** When the monitor takes a connection back from whoever leaked it. */
export interface ReclaimOptions {
  /** Default: `off`. */
  readonly mode: ReclaimMode;
  /** A lease that is only likely to be leaked is taken back after this long without activity, in milliseconds. Default: 300000. A certain one at once. */
  readonly afterMs?: number;
  /** Only while more than this share of the pool is in use, from 0 to 1. Default: 0.8. */
  readonly aboveShare?: number;
}

/** How the monitor looks at the server behind a pool. */
export interface ServerOptions {
  /** `off`: no connection of its own, nothing of the server in reports, and each process alerts by itself. Default: `on`. */
  readonly mode?: 'on' | 'off';
  /** How often the server is looked at, in milliseconds. Default: 10000. */
  readonly everyMs?: number;
  /** A pool that leads to the server itself, where the watched one goes through a pooler. Default: the watched pool's own way. */
  readonly through?: ManageablePool;
}

/** Options of `createPoolMonitor`. */
export interface PoolMonitorOptions {
  /** The service, as alerts name it. Default: `npm_package_name`, else `service`. */
  readonly service?: string;
  /** Such as `production`. Default: `NODE_ENV`. */
  readonly environment?: string | undefined;
  /** What is deployed, such as a git revision. Default: none. */
  readonly version?: string | undefined;
  /** This process among those of the service. Default: host name and process id. */
  readonly instance?: string;
  /** Thresholds for every pool; those for one pool or call site are set by `setThresholds`. */
  readonly thresholds?: Partial<Thresholds>;
  readonly reclaim?: ReclaimOptions;
  /** Where findings are told, and how often. Default: the log alone. */
  readonly alerts?: AlertOptionsInput;
  /** The server's side: over one connection of its own for each pool, `application_name` `holdfast-monitor:…`. */
  readonly server?: ServerOptions;
  /** How many requests a second record their call site (5 to 20 µs each) while nothing is suspicious. Default: 200. */
  readonly callSitesPerSecond?: number;
  /** How often leases are looked at, in milliseconds. Default: 1000. */
  readonly sweepEveryMs?: number;
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** The time of day, in milliseconds since 1970, for what people read. Default: `Date.now`. */
  readonly wallClock?: () => number;
}

export interface ParsedReclaim {
  readonly mode: ReclaimMode;
  readonly afterMs: number;
  readonly aboveShare: number;
}

export interface ParsedServer {
  readonly mode: 'on' | 'off';
  readonly everyMs: number;
  readonly through: ManageablePool | undefined;
}

export interface ParsedMonitorOptions {
  readonly service: string;
  readonly environment: string | undefined;
  readonly version: string | undefined;
  readonly instance: string;
  readonly thresholds: Partial<Thresholds>;
  readonly reclaim: ParsedReclaim;
  readonly alerts: AlertOptions;
  readonly server: ParsedServer;
  readonly callSitesPerSecond: number;
  readonly sweepEveryMs: number;
  readonly clock: Clock;
  readonly wallClock: () => number;
}

const readShare: Reader<number> = (value, path) => {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1))
    throw invalid(path, value, 'a number from 0 to 1');
  return value;
};

const readReclaim: Reader<ParsedReclaim> = (value, path) =>
  readOptions<ParsedReclaim>(
    value,
    {
      mode: withDefault(readOneOf(['off', 'dry-run', 'on']), 'off'),
      afterMs: withDefault(readDurationMs, 300_000),
      aboveShare: withDefault(readShare, 0.8),
    },
    path,
  );

const readPool: Reader<ManageablePool> = (value, path) => {
  const { end } = (value ?? {}) as { end?: unknown };
  if (typeof end !== 'function') throw invalid(path, value, 'a pool of pg, mysql2 or mariadb');
  return value as ManageablePool;
};

const readServer: Reader<ParsedServer> = (value, path) =>
  readOptions<ParsedServer>(
    value,
    {
      mode: withDefault(readOneOf(['on', 'off']), 'on'),
      everyMs: withDefault(readDurationMs, 10_000),
      through: optional(readPool),
    },
    path,
  );

/**
 * Reads the options of a monitor, for what passes them on before there is one. Throws `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const { service, instance } = readPoolMonitorOptions({ service: 'orders' });
 * ```
 */
export function parseMonitorOptions(raw: PoolMonitorOptions | undefined): ParsedMonitorOptions {
  return readOptions<ParsedMonitorOptions>(
    raw,
    {
      service: withDefault(readString, process.env['npm_package_name'] || 'service'),
      environment: withDefault(optional(readString), process.env['NODE_ENV'] || undefined),
      version: optional(readString),
      instance: withDefault(readString, `${hostname()}:${process.pid}`),
      thresholds: withDefault(readThresholds, {}),
      reclaim: (value, path) => readReclaim(value ?? {}, path),
      alerts: (value, path) => readAlertOptions(value ?? {}, path),
      server: (value, path) => readServer(value ?? {}, path),
      callSitesPerSecond: withDefault(readInteger(0, 1_000_000), 200),
      sweepEveryMs: withDefault(readDurationMs, 1000),
      clock: withDefault(readClock, systemClock),
      wallClock: withDefault(readFunction<() => number>(), Date.now),
    },
    'createPoolMonitor options',
  );
}
