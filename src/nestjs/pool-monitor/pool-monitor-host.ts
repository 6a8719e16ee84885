import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { processGlobal } from '../../core/index.js';
import {
  bindOpenTelemetry,
  createPoolMonitor,
  type PoolMonitor,
  registerPromMetrics,
  statusPage,
} from '../../pool-monitor/index.js';
import { type ParsedPoolMonitorOptions, readPoolMonitorModuleOptions } from './options.js';
import { type HttpPlatform, labelRequests } from './request-labels.js';

/**
 * Those whose application has not started yet. Nest tells nobody of a start that fails: the next one stops what the
 * failed one has left running.
 */
const starting = processGlobal('holdfast.starting-pool-monitors/1', () => new Set<PoolMonitorHost>());

/** One for each application, however often the module is imported. */
const hosts = processGlobal(
  'holdfast.pool-monitor-hosts/1',
  () => new WeakMap<ModulesContainer, PoolMonitorHost>(),
);

/** The host of an application, which the import that has options for it begins. */
export function poolMonitorHost(
  modules: ModulesContainer,
  adapters: HttpAdapterHost,
  raw: unknown,
): PoolMonitorHost {
  const host = hosts.get(modules) ?? new PoolMonitorHost(adapters);
  hosts.set(modules, host);
  if (raw !== undefined) host.open(readPoolMonitorModuleOptions(raw, 'HoldfastModule options.poolMonitor'));
  return host;
}

/** The pool monitor of a Nest application, and where it is to be seen. */
export class PoolMonitorHost implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #adapters: HttpAdapterHost;
  #options: ParsedPoolMonitorOptions | undefined;
  #monitor: PoolMonitor | undefined;
  #isAttached = false;
  #isStopped = false;
  #unbind: (() => void)[] = [];
  /** The call sites of the leases that were out when the monitor stopped. */
  #lastSites: ReadonlyMap<number, string> = new Map();

  constructor(adapters: HttpAdapterHost) {
    this.#adapters = adapters;
  }

  /** `undefined` where no import of the module asked for one. */
  get monitor(): PoolMonitor | undefined {
    return this.#monitor;
  }

  open(options: ParsedPoolMonitorOptions): void {
    if (this.#monitor) return;
    this.#options = options;
    this.#monitor = createPoolMonitor(options.monitor);
    for (const other of starting) void other.#stop();
  }

  /** Before any route: a middleware that is added later is never reached. */
  attach(): void {
    const platform = this.#adapters.httpAdapter as HttpPlatform | undefined;
    if (!this.#monitor || !this.#options || !platform || this.#isAttached) return;
    this.#isAttached = true;
    const { statusPage: page, labelRequests: labels } = this.#options;
    if (page) {
      const { path, ...options } = page;
      platform.use(path, statusPage(this.#monitor, options));
    }
    if (labels) labelRequests(platform);
  }

  /** A second call changes nothing. */
  start(): void {
    if (!this.#monitor || !this.#options || this.#unbind.length > 0) return;
    starting.add(this);
    const monitor = this.#monitor.start();
    const { openTelemetry, prometheus } = this.#options;
    this.#unbind = [
      ...(openTelemetry ? [bindOpenTelemetry(monitor, openTelemetry)] : []),
      ...(prometheus ? [registerPromMetrics(monitor, prometheus)] : []),
      () => void starting.delete(this),
    ];
  }

  onApplicationBootstrap(): void {
    starting.delete(this);
  }

  /** Who took a lease, as far as the monitor knows or knew. */
  siteOf(leaseId: number): string | undefined {
    return this.#isStopped ? this.#lastSites.get(leaseId) : this.#sites().get(leaseId);
  }

  onApplicationShutdown(): Promise<void> {
    return this.#stop();
  }

  async #stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#lastSites = this.#sites();
    this.#isStopped = true;
    for (const unbind of this.#unbind.splice(0)) unbind();
    await this.#monitor?.stop();
  }

  #sites(): Map<number, string> {
    const leases = this.#monitor?.report().pools.flatMap((pool) => pool.leases) ?? [];
    return new Map(leases.map(({ id, site }) => [id, site]));
  }
}
