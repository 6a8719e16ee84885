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
import {
  managePrisma,
  type PrismaClientLike,
  prismaSource,
  UnsupportedPrismaClientError,
} from '../prisma/index.js';
import { abortTransactions, DEFAULT_SHUTDOWN_TIMEOUT_MS } from '../transaction/index.js';
import { manageDataSource } from '../typeorm/index.js';
import type { HoldfastModuleOptions } from './options.js';

type TypeormDataSource = Parameters<typeof manageDataSource>[0];

/** What `manageDataSource` leaves on a data source: one that the application has managed itself keeps its name. */
const MANAGED = Symbol.for('holdfast.managed-data-source/1');

/** Finds the DataSources and PrismaClients among the application's providers and manages each. */
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
    // By now every module has had its chance to manage the pool that it gives its client.
    for (const error of this.#managePrismaClients()) {
      if (error.adapter === undefined || !this.#managesAny) throw error;
      getLogger().warn({}, `holdfast: ${error.message} It is not managed.`);
    }
    if (this.#managesAny) return;
    getLogger().warn(
      {},
      'holdfast: HoldfastModule found no initialised TypeORM DataSource and no PrismaClient in this application; @Transactional() will find none either. ' +
        'Import TypeOrmModule.forRoot(), provide a PrismaClient, or manage a pool with managePool().',
    );
  }

  /**
   * Nest closes the HTTP server next, and that waits for the requests in flight: one whose transaction hangs would
   * keep it from ever getting to the data source, whose own limit begins with `destroy()`.
   */
  beforeApplicationShutdown(): void {
    const limitMs = this.#shutdownTimeoutMs;
    const managed = [...this.#find().keys()].filter((dataSource) => MANAGED in dataSource);
    const sources = new Set(managed.map((dataSource) => manageDataSource(dataSource)));
    for (const client of this.#instances(isPrismaClient)) {
      const source = prismaSource(client);
      if (source) sources.add(source);
    }
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
    this.#managePrismaClients();
  }

  /** Answers why, for each that cannot be managed, or not yet. */
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
    for (const [token, dataSource] of this.#providers(isDataSource)) {
      if (dataSource.isInitialized) found.set(dataSource, found.get(dataSource) ?? nameInToken(token));
    }
    return found;
  }

  #instances<T>(isWanted: (instance: unknown) => instance is T): Set<T> {
    return new Set([...this.#providers(isWanted)].map(([, instance]) => instance));
  }

  *#providers<T>(isWanted: (instance: unknown) => instance is T): Generator<[InjectionToken, T]> {
    for (const module of this.#modules.values()) {
      for (const [token, { instance }] of module.providers) {
        if (isSafely(isWanted, instance)) yield [token, instance];
      }
    }
  }
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
