import type { ModulesContainer } from '@nestjs/core';
import { InvalidOptionsError } from '../../core/index.js';
import type { Finding, PoolReport } from '../../pool-monitor/index.js';
import type { PoolMonitorHost } from './pool-monitor-host.js';

/** What the indicator says of one pool: counters and kinds, no call site and no statement. */
export interface PoolHealth {
  readonly inUse: number;
  readonly max: number;
  readonly idle: number;
  readonly waiting: number;
  /** Why it is degraded: the kinds of findings. */
  readonly problems: readonly string[];
}

/** As @nestjs/terminus reads it. */
export type PoolHealthResult<Key extends string> = Record<
  Key,
  {
    /** With terminus 12 also `degraded`, which terminus 11 has no word for. */
    readonly status: 'up' | 'down';
    readonly pools: Readonly<Record<string, PoolHealth>>;
  }
>;

/** How a pool that is degraded is told. */
export interface HealthIndicatorOptions {
  /**
   * `degraded` keeps the check at HTTP 200, `down` makes it 503. Default: `degraded` where the application's terminus
   * knows it, which is 12, else `down`.
   */
  readonly degradedAs?: 'up' | 'degraded' | 'down';
}

/**
 * A health indicator for `@nestjs/terminus` 11 and 12 that reads what the pool monitor counts. It never asks a pool for a
 * connection: a check that queues on an exhausted pool hangs when it is needed. A pool is degraded while it is exhausted,
 * deadlocked against itself, or a connection of it leaked with certainty.
 *
 * @example
 * ```ts
 * @Controller('health')
 * class HealthController {
 *   constructor(private readonly health: HealthCheckService, private readonly pools: HoldfastHealthIndicator) {}
 *
 *   @Get()
 *   @HealthCheck()
 *   check() {
 *     return this.health.check([() => this.pools.isHealthy('pools')]);
 *   }
 * }
 * ```
 */
export class HoldfastHealthIndicator {
  readonly #host: PoolMonitorHost;
  readonly #modules: ModulesContainer;

  constructor(host: PoolMonitorHost, modules: ModulesContainer) {
    this.#host = host;
    this.#modules = modules;
  }

  /**
   * The state of every pool that the monitor watches.
   *
   * @param key What the indicator is called in the answer.
   * @throws InvalidOptionsError where `HoldfastModule` was given no `poolMonitor`.
   */
  isHealthy<const Key extends string>(
    key: Key,
    { degradedAs }: HealthIndicatorOptions = {},
  ): PoolHealthResult<Key> {
    const { monitor } = this.#host;
    if (!monitor)
      throw new InvalidOptionsError(
        'HoldfastHealthIndicator reads the pool monitor, and this application has none. ' +
          'Import HoldfastModule.forRoot({ poolMonitor: { … } }).',
      );
    const pools = monitor.report().pools.map((pool) => [pool.pool, healthOf(pool)] as const);
    const isDegraded = pools.some(([, { problems }]) => problems.length > 0);
    const status = isDegraded ? (degradedAs ?? this.#wordForDegraded()) : 'up';
    // Terminus 11 has no type for a third state, and is never told one unless it was asked for.
    return { [key]: { status: status as 'up' | 'down', pools: Object.fromEntries(pools) } } as never;
  }

  /** Terminus 11 would leave out of its answer what is neither up nor down. */
  #wordForDegraded(): 'degraded' | 'down' {
    for (const module of this.#modules.values())
      for (const { name, instance } of module.providers.values())
        if (name === 'HealthIndicatorService') return knowsDegraded(instance) ? 'degraded' : 'down';
    return 'down';
  }
}

function knowsDegraded(service: unknown): boolean {
  const session = (service as { check?(key: string): { degraded?: unknown } } | undefined)?.check?.('pools');
  return typeof session?.degraded === 'function';
}

function healthOf({ counts, findings }: PoolReport): PoolHealth {
  const { inUse, max, idle, pending } = counts;
  const problems = [...new Set(findings.filter(isDegrading).map(({ kind }) => kind))];
  return { inUse, max, idle, waiting: pending, problems };
}

function isDegrading({ kind, certainty }: Finding): boolean {
  return kind === 'exhausted' || kind === 'self-deadlock' || (kind === 'leak' && certainty === 'certain');
}
