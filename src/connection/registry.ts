import { processGlobal } from '../core/index.js';
import { DuplicateDataSourceError, PoolEndedError, UnknownDataSourceError } from './errors.js';
import type { ManagedPool, ManagedSource } from './managed-pool.js';

/** Hear of each pool that begins to serve a data source. */
const serving = processGlobal('holdfast.serving/1', () => new Set<(pool: ManagedPool) => void>());

/** Calls `listener` with each pool that begins to serve a data source from now on, until the returned function is called. */
export function onServing(listener: (pool: ManagedPool) => void): () => void {
  serving.add(listener);
  return () => void serving.delete(listener);
}

/** A pool begins to serve a data source. */
export function tellServing(pool: ManagedPool): void {
  for (const listener of serving) listener(pool);
}

/** The name of a source that was given none. */
export const DEFAULT_SOURCE = 'default';

interface Registry {
  readonly sources: Map<string, ManagedSource>;
  /** Asked once for a name that nobody registered yet; a framework adapter finds and manages it. */
  readonly finders: Set<(name: string) => void>;
  /** What became of the sources that have given their names up, by name. */
  readonly former: Map<string, 'was shut down' | 'was unmanaged'>;
  /** Those on which only what runs already may begin a transaction. */
  readonly shuttingDown: WeakSet<ManagedSource>;
}

/** Names can be made up at run time, so there is an end to them. */
const MOST_FORMER_NAMES = 1000;

const registry = processGlobal<Registry>('holdfast.registry/2', () => ({
  sources: new Map(),
  finders: new Set(),
  former: new Map(),
  shuttingDown: new WeakSet(),
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
  for (const known of registry.sources.values()) if (known.primary.ended) giveUpName(known);
  registry.sources.set(source.name, source);
  registry.former.delete(source.name);
}

/** Gives the source's name free; whatever uses the source already goes on. */
export function unregisterSource(source: ManagedSource): void {
  if (isRegistered(source)) giveUpName(source);
}

function giveUpName({ name, primary }: ManagedSource): void {
  registry.sources.delete(name);
  if (registry.former.size < MOST_FORMER_NAMES)
    registry.former.set(name, primary.ended ? 'was shut down' : 'was unmanaged');
}

/** Says that the shutdown of a source has begun; returns the function that takes it back, or ends it. */
export function markShuttingDown(source: ManagedSource): () => void {
  registry.shuttingDown.add(source);
  return () => void registry.shuttingDown.delete(source);
}

export function isShuttingDown(source: ManagedSource): boolean {
  return registry.shuttingDown.has(source);
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
 * Throws {@link UnknownDataSourceError} when there is none and {@link PoolEndedError} when its pool has ended, unless
 * that is part of a shutdown that is on its way: who begins a transaction then is told of the shutdown.
 */
export function resolveSource(name: string): ManagedSource {
  let source = registry.sources.get(name);
  if (!source || source.primary.ended) {
    for (const finder of registry.finders) finder(name);
    source = registry.sources.get(name) ?? source;
  }
  if (!source) {
    throw unknownSource(name);
  }
  if (source.primary.ended && !isShuttingDown(source)) {
    throw new PoolEndedError(
      `The pool of data source ${quoted(name)} has ended. Initialise the data source again and manage its new pool.`,
    );
  }
  return source;
}

function unknownSource(name: string): UnknownDataSourceError {
  const names = registeredNames().map(quoted);
  const managed = names.length > 0 ? `Managed: ${names.join(', ')}. ` : '';
  const fate = registry.former.get(name);
  return new UnknownDataSourceError(
    fate
      ? `Data source ${quoted(name)} ${fate} and is no longer managed. ${managed}` +
          'Stop what begins transactions before that happens, or initialise the data source (manage the pool) again first.'
      : `No managed data source is named ${quoted(name)}. ${managed || 'None is managed yet. '}` +
          'Call managePool(pool, { name }) or manageDataSource(dataSource), or import HoldfastModule.forRoot() in your Nest application and start it.',
  );
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
