import type {
  BeforeApplicationShutdown,
  InjectionToken,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleInit,
} from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { getLogger, processGlobal, setLogger, systemClock, type Timer } from '../core/index.js';
import {
  addSourceFinder,
  type ManagedSource,
  quoted,
  registeredNames,
  UnsupportedDriverError,
  unregisterSource,
} from '../connection/index.js';
import {
  managePrisma,
  type PrismaClientLike,
  prismaSource,
  UnsupportedPrismaClientError,
} from '../prisma/index.js';
import { DEFAULT_SHUTDOWN_TIMEOUT_MS, ShutdownDeadline } from '../transaction/index.js';
import { isManagedDataSource, manageDataSource } from '../typeorm/index.js';
import { takeBackForgotten } from './forgotten-leases.js';
import { joinOptions } from './joined-options.js';
import type { HoldfastModuleOptions } from './options.js';
import type { PoolMonitorHost } from './pool-monitor/pool-monitor-host.js';

type TypeormDataSource = Parameters<typeof manageDataSource>[0];

/**
 * The applications whose start has not ended. Nest tells nobody of a start that fails, so an application that begins
 * takes those before it for dead: until their next hook, which says that they live, they keep no name and find nothing.
 */
const starting = processGlobal('holdfast.starting-applications/1', () => new Set<DataSourceDiscovery>());

/** What ends the transactions of an application that closes, by data source. Another application may be started on the same pool before. */
const deadlines = processGlobal('holdfast.shutdown-deadlines/1', () => new WeakMap<ManagedSource, Timer>());

/** How long after its limit, in milliseconds, a shutdown looks again for what holds it up. */
const AGAIN_MS = 500;

/** Finds the DataSources and PrismaClients among the application's providers and manages each. */
export class DataSourceDiscovery
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #modules: ModulesContainer;
  readonly #options: HoldfastModuleOptions;
  readonly #monitor: PoolMonitorHost;
  #removeFinder: (() => void) | undefined;
  /** What this application, and not its own code, has put under management. */
  readonly #sources = new Set<ManagedSource>();
  readonly #awaited = new WeakSet<TypeormDataSource>();
  #managesAny = false;
  #instancesAreMade = false;
  readonly #unsupported = new Map<TypeormDataSource, UnsupportedDriverError>();

  constructor(modules: ModulesContainer, options: HoldfastModuleOptions, monitor: PoolMonitorHost) {
    this.#modules = modules;
    this.#monitor = monitor;
    this.#options = joinOptions(modules, options);
    if (options.logger) setLogger(options.logger);
    for (const other of starting) other.giveUp();
    starting.add(this);
    // A module that is initialised before this one, or in a test never, may begin a transaction already.
    this.#startFinding();
  }

  /** Not before every import of the module has given its options. */
  get #shutdownTimeoutMs(): number {
    return this.#options.shutdownTimeoutMs ?? DEFAULT_SHUTDOWN_TIMEOUT_MS;
  }

  /** Keeps nothing that another application could come by. */
  giveUp(): void {
    this.#stopFinding();
    for (const source of this.#sources) unregisterSource(source);
  }

  onModuleInit(): void {
    starting.add(this);
    this.#instancesAreMade = true;
    this.#orGiveUp(() => this.#manageAll());
    for (const source of this.#managedSources()) deadlines.get(source)?.clear();
    // Not in a hook of its own: it begins with the pools that are managed by now, and Nest's order is another.
    this.#orGiveUp(() => this.#monitor.start());
  }

  onApplicationBootstrap(): void {
    starting.delete(this);
    this.#startFinding();
    this.#orGiveUp(() => this.#check());
  }

  /** Nest closes nothing of an application whose start fails. */
  #orGiveUp(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.giveUp();
      throw error;
    }
  }

  #check(): void {
    // By now every module has had its chance to manage the pool that it gives its client.
    for (const error of this.#manageAll()) {
      if (error.adapter === undefined || !this.#managesAny) throw error;
      getLogger().warn({}, `holdfast: ${error.message} It is not managed.`);
    }
    if (this.#managesAny) return;
    const names = registeredNames().map(quoted);
    if (names.length > 0) {
      getLogger().info(
        {},
        `holdfast: HoldfastModule found no initialised TypeORM DataSource and no PrismaClient among the providers of this application. Managed without it: ${names.join(', ')}. ` +
          'A PrismaClient that is no provider itself, or is made anew for each request, needs managePrisma(prisma) where it is made.',
      );
      return;
    }
    getLogger().warn(
      {},
      'holdfast: HoldfastModule found no initialised TypeORM DataSource and no PrismaClient in this application, and no pool is managed; @Transactional() will find none either. ' +
        'Import TypeOrmModule.forRoot(), provide a PrismaClient, or manage a pool with managePool().',
    );
  }

  /**
   * Nest closes the HTTP server next, and that waits for the requests in flight: one whose transaction hangs would
   * keep it from ever getting to the data source, whose own limit begins with `destroy()`.
   */
  beforeApplicationShutdown(): void {
    const limitMs = this.#shutdownTimeoutMs;
    for (const source of this.#managedSources()) {
      const deadline = new ShutdownDeadline(source, limitMs);
      this.#enforceAfter(source, limitMs, (waitedMs) => {
        deadline.enforce();
        takeBackForgotten(source, waitedMs, (leaseId) => this.#monitor.siteOf(leaseId));
      });
    }
  }

  /** And again: what waited for a connection gets those that were taken back, and may keep them as well. */
  #enforceAfter(source: ManagedSource, waitMs: number, enforce: (waitedMs: number) => void): void {
    let waitedMs = waitMs;
    const next = (afterMs: number): void => {
      deadlines.get(source)?.clear();
      const timer = systemClock.setTimer(() => {
        enforce(waitedMs);
        waitedMs += AGAIN_MS;
        if (!source.primary.ended) next(AGAIN_MS);
      }, afterMs);
      deadlines.set(source, timer);
    };
    next(waitMs);
  }

  /** Transactions can begin until their data source is destroyed: the hooks of other modules may come after this one. */
  onApplicationShutdown(): void {
    this.#stopFinding();
  }

  #managedSources(): Set<ManagedSource> {
    const sources = new Set<ManagedSource>();
    for (const dataSource of this.#dataSources().keys())
      if (dataSource.isInitialized && isManagedDataSource(dataSource))
        sources.add(manageDataSource(dataSource));
    for (const client of this.#instances(isPrismaClient)) {
      const source = prismaSource(client);
      if (source) sources.add(source);
    }
    return sources;
  }

  #startFinding(): void {
    this.#removeFinder ??= addSourceFinder(() => void this.#manageAll());
  }

  #stopFinding(): void {
    starting.delete(this);
    this.#removeFinder?.();
    this.#removeFinder = undefined;
  }

  /** Answers why, for each PrismaClient that cannot be managed, or not yet. */
  #manageAll(): UnsupportedPrismaClientError[] {
    const known = this.#unsupported.size;
    for (const [dataSource, name] of this.#dataSources()) this.#manage(dataSource, name);
    const unsupported = [...this.#unsupported.values()];
    if (unsupported[0] && !this.#managesAny) throw unsupported[0];
    for (const { message } of unsupported.slice(known)) {
      getLogger().warn({}, `holdfast: ${message} It is not managed.`);
    }
    return this.#managePrismaClients();
  }

  #managePrismaClients(): UnsupportedPrismaClientError[] {
    const unsupported = [];
    for (const client of this.#instances(isPrismaClient)) {
      try {
        managePrisma(client);
        this.#managesAny = true;
      } catch (error) {
        if (!(error instanceof UnsupportedPrismaClientError)) throw error;
        unsupported.push(error);
      }
    }
    return unsupported;
  }

  #manage(dataSource: TypeormDataSource, name: string | undefined): void {
    if (this.#unsupported.has(dataSource)) return;
    if (!dataSource.isInitialized) return this.#manageOnceInitialized(dataSource);
    try {
      // One that the application has managed itself keeps the options that it was given.
      if (isManagedDataSource(dataSource)) manageDataSource(dataSource);
      else {
        const { acquireTimeoutMs } = this.#options;
        const options = {
          shutdownTimeoutMs: this.#shutdownTimeoutMs,
          ...(acquireTimeoutMs !== undefined && { acquireTimeoutMs }),
          ...(name && { name }),
        };
        this.#sources.add(manageDataSource(dataSource, options));
      }
      this.#managesAny = true;
    } catch (error) {
      if (!(error instanceof UnsupportedDriverError)) throw error;
      this.#unsupported.set(dataSource, error);
    }
  }

  /** Later would be too late: a transaction under its name finds another application's, where that has one. */
  #manageOnceInitialized(dataSource: TypeormDataSource): void {
    if (isManagedDataSource(dataSource) || this.#awaited.has(dataSource)) return;
    this.#awaited.add(dataSource);
    const initialize = dataSource.initialize.bind(dataSource);
    dataSource.initialize = async () => {
      await initialize();
      if (!isManagedDataSource(dataSource)) this.#manageAll();
      return dataSource;
    };
  }

  /** The DataSources, with the name that Nest knows each by, where it has one of its own. */
  #dataSources(): Map<TypeormDataSource, string | undefined> {
    const found = new Map<TypeormDataSource, string | undefined>();
    for (const [token, dataSource] of this.#providers(isDataSource)) {
      found.set(dataSource, found.get(dataSource) ?? nameInToken(token));
    }
    return found;
  }

  #instances<T>(isWanted: (instance: unknown) => instance is T): Set<T> {
    return new Set([...this.#providers(isWanted)].map(([, instance]) => instance));
  }

  *#providers<T>(isWanted: (instance: unknown) => instance is T): Generator<[InjectionToken, T]> {
    for (const module of this.#modules.values()) {
      for (const [token, provider] of module.providers) {
        for (const instance of instancesOf(provider)) {
          if (isSafely(isWanted, instance) && !this.#isPlaceholder(provider)) yield [token, instance];
        }
      }
    }
  }

  /** For what is made anew for each request, Nest keeps an object that has only its prototype. */
  #isPlaceholder(provider: Provider): boolean {
    // Nest 11 would keep the answer of isDependencyTreeStatic() from before the dependencies are known.
    return this.#instancesAreMade && !provider.isDependencyTreeStatic();
  }
}

type Provider = ModulesContainer extends Map<string, { providers: Map<unknown, infer P> }> ? P : never;

/** Of a transient provider there is one for each of those that it is injected into. */
function instancesOf(provider: Provider): unknown[] {
  if (!provider.isTransient) return [provider.instance];
  return provider.getStaticTransientInstances().map((each) => each?.instance);
}

/** A provider may be a proxy that stands for something which is not there yet, and throws when it is looked at. */
function isSafely<T>(isWanted: (instance: unknown) => instance is T, instance: unknown): instance is T {
  try {
    return isWanted(instance);
  } catch {
    return false;
  }
}

function isPrismaClient(instance: unknown): instance is PrismaClientLike {
  const { [Symbol.toStringTag]: tag, $transaction } = (instance ?? {}) as Record<PropertyKey, unknown>;
  return tag === 'PrismaClient' && typeof $transaction === 'function';
}

/** TypeORM brands its objects, so that two copies of it recognise one another's. */
function isDataSource(instance: unknown): instance is TypeormDataSource {
  return (
    (instance as { '@instanceof'?: unknown } | null | undefined)?.['@instanceof'] === Symbol.for('DataSource')
  );
}

/** `getDataSourceToken('audit')` of @nestjs/typeorm answers `auditDataSource`. TypeORM 1 itself has no names. */
function nameInToken(token: InjectionToken): string | undefined {
  return typeof token === 'string' ? /^(.+)DataSource$/.exec(token)?.[1] : undefined;
}
