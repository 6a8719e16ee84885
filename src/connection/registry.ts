import { processGlobal } from '../core/index.js';
import { DuplicateDataSourceError, PoolEndedError, UnknownDataSourceError } from './errors.js';
import type { ManagedPool, ManagedSource } from './managed-pool.js';

/** The name of a source that was given none. */
export const DEFAULT_SOURCE = 'default';

interface Registry {
  readonly sources: Map<string, ManagedSource>;
  /** Asked once for a name that nobody registered yet; a framework adapter finds and manages it. */
  readonly finders: Set<(name: string) => void>;
}

const registry = processGlobal<Registry>('holdfast.registry/1', () => ({
  sources: new Map(),
  finders: new Set(),
}));

/**
 * Registers a source under its name. A source whose pool has ended gives its name up.
 * Throws {@link DuplicateDataSourceError} when a living source has the name.
 */
export function registerSource(source: ManagedSource): void {
  const existing = registry.sources.get(source.name);
  if (existing && existing !== source && !existing.primary.ended) {
    throw new DuplicateDataSourceError(
      `A pool is already managed under the name ${quoted(source.name)}. Give each its own, with managePool(pool, { name: '…' }) or TypeOrmModule.forRoot({ name: '…' }), ` +
        'or end the first: unmanagePool(…), dataSource.destroy() or app.close().',
    );
  }
  for (const [name, { primary }] of registry.sources) if (primary.ended) registry.sources.delete(name);
  registry.sources.set(source.name, source);
}

/** Gives the source's name free; whatever uses the source already goes on. */
export function unregisterSource(source: ManagedSource): void {
  if (isRegistered(source)) registry.sources.delete(source.name);
}

/** The source that is registered under this name now, with a pool that lives. */
export function registeredSource(name: string): ManagedSource | undefined {
  const source = registry.sources.get(name);
  return source?.primary.ended ? undefined : source;
}

/** The names of the sources whose pools live. */
export function registeredNames(): string[] {
  return [...registry.sources.keys()].filter(registeredSource);
}

export function isRegistered(source: ManagedSource): boolean {
  return registry.sources.get(source.name) === source;
}

/** Lets an adapter supply sources that are not registered yet; returns the function that takes it out. */
export function addSourceFinder(finder: (name: string) => void): () => void {
  registry.finders.add(finder);
  return () => void registry.finders.delete(finder);
}

/**
 * The source of this name.
 * Throws {@link UnknownDataSourceError} when there is none and {@link PoolEndedError} when its pool has ended.
 */
export function resolveSource(name: string): ManagedSource {
  let source = registry.sources.get(name);
  if (!source || source.primary.ended) {
    for (const finder of registry.finders) finder(name);
    source = registry.sources.get(name) ?? source;
  }
  if (!source) {
    const names = registeredNames().map(quoted);
    throw new UnknownDataSourceError(
      `No managed data source is named ${quoted(name)}. ` +
        (names.length > 0 ? `Managed: ${names.join(', ')}. ` : 'None is managed yet. ') +
        'Call managePool(pool, { name }) or manageDataSource(dataSource), or import HoldfastModule.forRoot() in your Nest application and start it.',
    );
  }
  if (source.primary.ended) {
    throw new PoolEndedError(
      `The pool of data source ${quoted(name)} has ended. Initialise the data source again and manage its new pool.`,
    );
  }
  return source;
}

/** A name in a message: on one line, and no longer than it can be read. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}

/** The pool that a transaction on `source` begins on: a replica for a read-only one, where there is any. */
export function choosePool(source: ManagedSource, readOnly: boolean): ManagedPool {
  const replicas = readOnly ? source.replicas.filter(({ ended }) => !ended) : [];
  return replicas[Math.floor(Math.random() * replicas.length)] ?? source.primary;
}
