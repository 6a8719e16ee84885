import type { Clock } from '../core/index.js';
import type { ManagedPool } from './managed-pool.js';

/** Pools that come and go, such as those of a data source that is initialised again. */
export type PoolSupplier = () => readonly ManagedPool[];

/** Who watches pools: the pool monitor, to an adapter that knows where an ORM keeps them. */
export interface PoolWatcher {
  /** Where its times come from. */
  readonly clock: Clock;
  /** Watches whatever pools `supplier` answers, asked again and again. The returned function ends that. */
  watchSource(supplier: PoolSupplier): () => void;
  /** Asks the suppliers now: a pool was made. */
  adoptNow(): void;
}
