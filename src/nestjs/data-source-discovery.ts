import type {
  BeforeApplicationShutdown,
  InjectionToken,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleInit,
} from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { getLogger, setLogger, systemClock } from '../core/index.js';
import { addSourceFinder, UnsupportedDriverError } from '../connection/index.js';
import { abortTransactions } from '../transaction/index.js';
import { manageDataSource } from '../typeorm/index.js';
import { DEFAULT_SHUTDOWN_TIMEOUT_MS, type HoldfastModuleOptions } from './options.js';

type TypeormDataSource = Parameters<typeof manageDataSource>[0];

/** What `manageDataSource` leaves on a data source: one that the application has managed itself keeps its name. */
const MANAGED = Symbol.for('holdfast.managed-data-source/1');

/** Finds the DataSources among the application's providers and manages each. */
export class DataSourceDiscovery
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #modules: ModulesContainer;
  readonly #shutdownTimeoutMs: number;
  readonly #stopFinding: () => void;
  #managesAny = false;
  readonly #unsupported = new Map<TypeormDataSource, UnsupportedDriverError>();

  constructor(modules: ModulesContainer, options: HoldfastModuleOptions) {
    this.#modules = modules;
    this.#shutdownTimeoutMs = options.shutdownTimeoutMs ?? DEFAULT_SHUTDOWN_TIMEOUT_MS;
    if (options.logger) setLogger(options.logger);
    // A module that is initialised before this one may begin a transaction already.
    this.#stopFinding = addSourceFinder(() => this.#manageAll());
  }

  onModuleInit(): void {
    this.#manageAll();
  }

  onApplicationBootstrap(): void {
    if (this.#managesAny) return;
    getLogger().warn(
      {},
      'holdfast: HoldfastModule found no initialised TypeORM DataSource in this application; @Transactional() will find none either. ' +
        'Import TypeOrmModule.forRoot(), or manage a pool with managePool().',
    );
  }

  /**
   * Nest closes the HTTP server next, and that waits for the requests in flight: one whose transaction hangs would
   * keep it from ever getting to the data source, whose own limit begins with `destroy()`.
   */
  beforeApplicationShutdown(): void {
    const limitMs = this.#shutdownTimeoutMs;
    const managed = [...this.#find().keys()].filter((dataSource) => MANAGED in dataSource);
    const sources = managed.map((dataSource) => manageDataSource(dataSource));
    systemClock.setTimer(() => {
      for (const source of sources) abortTransactions(source, limitMs);
    }, limitMs);
  }

  onApplicationShutdown(): void {
    this.#stopFinding();
  }

  #manageAll(): void {
    const known = this.#unsupported.size;
    for (const [dataSource, name] of this.#find()) this.#manage(dataSource, name);
    const unsupported = [...this.#unsupported.values()];
    if (unsupported[0] && !this.#managesAny) throw unsupported[0];
    for (const { message } of unsupported.slice(known)) {
      getLogger().warn({}, `holdfast: ${message} It is not managed.`);
    }
  }

  #manage(dataSource: TypeormDataSource, name: string | undefined): void {
    if (this.#unsupported.has(dataSource)) return;
    try {
      manageDataSource(dataSource, {
        shutdownTimeoutMs: this.#shutdownTimeoutMs,
        ...(name && !(MANAGED in dataSource) && { name }),
      });
      this.#managesAny = true;
    } catch (error) {
      if (!(error instanceof UnsupportedDriverError)) throw error;
      this.#unsupported.set(dataSource, error);
    }
  }

  /** The initialised DataSources, with the name that Nest knows each by, where it has one of its own. */
  #find(): Map<TypeormDataSource, string | undefined> {
    const found = new Map<TypeormDataSource, string | undefined>();
    for (const module of this.#modules.values()) {
      for (const [token, { instance }] of module.providers) {
        if (!isDataSource(instance) || !instance.isInitialized) continue;
        found.set(instance, found.get(instance) ?? nameInToken(token));
      }
    }
    return found;
  }
}

/** TypeORM brands its objects, so that two copies of it recognise one another's. */
function isDataSource(instance: unknown): instance is TypeormDataSource {
  try {
    return (
      (instance as { '@instanceof'?: unknown } | null | undefined)?.['@instanceof'] ===
      Symbol.for('DataSource')
    );
  } catch {
    // A proxy that stands for something which is not there yet.
    return false;
  }
}

/** `getDataSourceToken('audit')` of @nestjs/typeorm answers `auditDataSource`. TypeORM 1 itself has no names. */
function nameInToken(token: InjectionToken): string | undefined {
  return typeof token === 'string' ? /^(.+)DataSource$/.exec(token)?.[1] : undefined;
}
