import { type DynamicModule, type FactoryProvider, Inject, type NestModule } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { PoolMonitor } from '../pool-monitor/index.js';
import { DataSourceDiscovery } from './data-source-discovery.js';
import {
  type HoldfastModuleAsyncOptions,
  type HoldfastModuleOptions,
  parseModuleAsyncOptions,
  parseModuleOptions,
} from './options.js';
import { HoldfastHealthIndicator } from './pool-monitor/health-indicator.js';
import { type PoolMonitorHost, poolMonitorHost } from './pool-monitor/pool-monitor-host.js';

/** Registered symbols: the ESM and the CJS copy of the package share one token. */
const OPTIONS = Symbol.for('holdfast.nestjs.options/1');
const DISCOVERY = Symbol.for('holdfast.nestjs.discovery/1');
const MONITOR_HOST = Symbol.for('holdfast.nestjs.pool-monitor-host/1');

/**
 * Puts every TypeORM DataSource of the application under holdfast's management, under the name that TypeORM
 * knows it by, and every PrismaClient on a managed pool. A PrismaClient on a pool of its own ends the start with
 * `UnsupportedPrismaClientError`. No other line of the service changes than the decorator. `app.close()` waits for running
 * transactions, rolls back what does not end in time, and says which.
 *
 * @example
 * ```ts
 * @Module({ imports: [TypeOrmModule.forRoot({ ... }), HoldfastModule.forRoot()] })
 * export class AppModule {}
 * ```
 */
export class HoldfastModule implements NestModule {
  // Without a decorator: whoever imports the sources need not compile decorators.
  static {
    Inject(MONITOR_HOST)(HoldfastModule, undefined, 0);
  }

  readonly #host: PoolMonitorHost;

  /** Nest makes it. */
  constructor(host: PoolMonitorHost) {
    this.#host = host;
  }

  /** Nest calls it before there is any route. */
  configure(): void {
    this.#host.attach();
  }

  /**
   * Import it once, in the root module: it is global. Throws `InvalidOptionsError` for wrong options; where it is
   * imported twice with different ones, the application's start does.
   */
  static forRoot(options?: HoldfastModuleOptions): DynamicModule {
    return dynamicModule({ provide: OPTIONS, useValue: parseModuleOptions(options) }, []);
  }

  /**
   * Like `forRoot`, with options that other providers supply. Wrong ones end the application's start with
   * `InvalidOptionsError`.
   *
   * @example
   * ```ts
   * HoldfastModule.forRootAsync({
   *   imports: [ConfigModule],
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ shutdownTimeoutMs: config.get('SHUTDOWN_TIMEOUT_MS') }),
   * });
   * ```
   */
  static forRootAsync(options: HoldfastModuleAsyncOptions): DynamicModule {
    const { imports, inject, useFactory } = parseModuleAsyncOptions(options);
    const factory: FactoryProvider = {
      provide: OPTIONS,
      inject: [...inject] as NonNullable<FactoryProvider['inject']>,
      useFactory: async (...dependencies: never[]) => parseModuleOptions(await useFactory(...dependencies)),
    };
    return dynamicModule(factory, imports);
  }
}

type Imports = NonNullable<DynamicModule['imports']>;

function dynamicModule(
  options: FactoryProvider | { provide: symbol; useValue: HoldfastModuleOptions },
  imports: Imports,
): DynamicModule {
  return {
    module: HoldfastModule,
    global: true,
    imports,
    providers: [
      options,
      {
        provide: MONITOR_HOST,
        inject: [ModulesContainer, HttpAdapterHost, OPTIONS],
        useFactory: (
          modules: ModulesContainer,
          adapters: HttpAdapterHost,
          { poolMonitor }: HoldfastModuleOptions,
        ) => poolMonitorHost(modules, adapters, poolMonitor),
      },
      {
        provide: DISCOVERY,
        inject: [ModulesContainer, OPTIONS, MONITOR_HOST],
        useFactory: (modules: ModulesContainer, parsed: HoldfastModuleOptions, host: PoolMonitorHost) =>
          new DataSourceDiscovery(modules, parsed, host),
      },
      {
        provide: PoolMonitor,
        inject: [MONITOR_HOST],
        useFactory: ({ monitor }: PoolMonitorHost) => monitor,
      },
      {
        provide: HoldfastHealthIndicator,
        inject: [MONITOR_HOST, ModulesContainer],
        useFactory: (host: PoolMonitorHost, modules: ModulesContainer) =>
          new HoldfastHealthIndicator(host, modules),
      },
    ],
    exports: [PoolMonitor, HoldfastHealthIndicator],
  };
}
