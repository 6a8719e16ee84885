import type { OnApplicationBootstrap, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { getLogger, setLogger } from '../core/index.js';
import { addSourceFinder } from '../connection/index.js';
import { manageDataSource } from '../typeorm/index.js';
import type { HoldfastModuleOptions } from './options.js';

type TypeormDataSource = Parameters<typeof manageDataSource>[0];

/** Finds the DataSources among the application's providers and manages each. */
export class DataSourceDiscovery implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  readonly #modules: ModulesContainer;
  readonly #options: HoldfastModuleOptions;
  readonly #stopFinding: () => void;

  constructor(modules: ModulesContainer, options: HoldfastModuleOptions) {
    this.#modules = modules;
    this.#options = options;
    if (options.logger) setLogger(options.logger);
    // A module that is initialised before this one may begin a transaction already.
    this.#stopFinding = addSourceFinder(() => this.#manageAll());
  }

  onModuleInit(): void {
    this.#manageAll();
  }

  onApplicationBootstrap(): void {
    if (this.#find().length > 0) return;
    getLogger().warn(
      {},
      'holdfast: HoldfastModule found no initialised TypeORM DataSource in this application; @Transactional() will find none either. ' +
        'Import TypeOrmModule.forRoot(), or manage a pool with managePool().',
    );
  }

  onApplicationShutdown(): void {
    this.#stopFinding();
  }

  #manageAll(): void {
    const { shutdownTimeoutMs } = this.#options;
    for (const dataSource of this.#find()) {
      manageDataSource(dataSource, shutdownTimeoutMs === undefined ? {} : { shutdownTimeoutMs });
    }
  }

  #find(): TypeormDataSource[] {
    const found = new Set<TypeormDataSource>();
    for (const module of this.#modules.values()) {
      for (const { instance } of module.providers.values()) {
        if (isDataSource(instance) && instance.isInitialized) found.add(instance);
      }
    }
    return [...found];
  }
}

/** TypeORM brands its objects, so that two copies of it recognise one another's. */
function isDataSource(instance: unknown): instance is TypeormDataSource {
  return (
    (instance as { '@instanceof'?: unknown } | null | undefined)?.['@instanceof'] === Symbol.for('DataSource')
  );
}
