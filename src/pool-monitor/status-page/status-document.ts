import type { PoolReport } from '../report.js';
import type { ServerReport } from '../server-report.js';
import type { GaugeSample, MonitorView, SentAlert } from '../view.js';

/** One pool, as the status page and the terminal show it. */
export interface PoolStatus extends PoolReport {
  /** Connections that leaked, and that are suspected to have. */
  readonly leaked: number;
  readonly suspected: number;
  /** Requests that got no connection in time, since the monitor began. */
  readonly timeouts: number;
  /** The last hour, oldest first. */
  readonly history: readonly GaugeSample[];
  /** Absent where the server is not looked at. */
  readonly server?: ServerReport;
}

/** What a process knows of its pools, at one moment. `?format=json` of the status page is this. */
export interface StatusDocument {
  /** The version of this form. */
  readonly holdfast: 1;
  /** `Date.now()` of the report. */
  readonly at: number;
  readonly service: string;
  readonly environment?: string;
  readonly version?: string;
  readonly instance: string;
  readonly pools: readonly PoolStatus[];
  /** Newest first. */
  readonly alerts: readonly SentAlert[];
}

/** Asks the monitor, and no pool for a connection. */
export function statusOf(view: MonitorView): StatusDocument {
  const { service, environment, version, instance, pools, servers } = view.report();
  const metrics = new Map(view.metrics().map((each) => [each.pool, each]));
  return {
    holdfast: 1,
    at: pools[0]?.at ?? Date.now(),
    service,
    ...(environment !== undefined && { environment }),
    ...(version !== undefined && { version }),
    instance,
    pools: pools.map((pool) => {
      const server = servers.get(pool.pool);
      return {
        ...pool,
        leaked: metrics.get(pool.pool)?.leaked ?? 0,
        suspected: metrics.get(pool.pool)?.suspected ?? 0,
        timeouts: metrics.get(pool.pool)?.timeouts ?? 0,
        history: view.history(pool.pool),
        ...(server && { server }),
      };
    }),
    alerts: view.alerts(),
  };
}

/** JSON has no Infinity: the size of a pool without a limit is -1 in it. */
export function statusJson(status: StatusDocument): string {
  return JSON.stringify(status, (_, value: unknown) => (value === Infinity ? -1 : value));
}

/**
 * Reads what the status page answers to `?format=json`. Answers `undefined` for what is no status.
 *
 * @example
 * ```ts
 * const response = await fetch('http://127.0.0.1:9090/?format=json', { headers: { authorization } });
 * const inUse = readStatus(await response.text())?.pools.map(({ counts }) => counts.inUse);
 * ```
 */
export function readStatus(json: string): StatusDocument | undefined {
  try {
    const status = JSON.parse(json, (key, value: unknown) =>
      key === 'max' && value === -1 ? Infinity : value,
    ) as Partial<StatusDocument> | null;
    return status?.holdfast === 1 && Array.isArray(status.pools) ? (status as StatusDocument) : undefined;
  } catch {
    return undefined;
  }
}
