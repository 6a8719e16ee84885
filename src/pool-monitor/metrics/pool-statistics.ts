import { describeError, getLogger } from '../../core/index.js';
import type { PoolMetrics } from '../view.js';
import { DurationHistogram } from './duration-histogram.js';

/** Which duration of a pool: until a request got its connection, until that came back, until one was opened. */
export type PoolDuration = 'wait' | 'use' | 'create';

/** Hears of each duration as it ends, in milliseconds. */
export type DurationListener = (pool: string, duration: PoolDuration, ms: number) => void;

/** Who tells of each duration: a histogram of somebody else's cannot be filled from counts. */
export interface DurationSource {
  /** Calls `listener` at each duration until the returned function is called. */
  onDuration(listener: DurationListener): () => void;
}

/** The counters of one pool since the monitor began. Each event costs a few comparisons and no memory. */
export class PoolStatistics implements DurationSource {
  readonly #pool: string;
  readonly #wait = new DurationHistogram();
  readonly #use = new DurationHistogram();
  readonly #create = new DurationHistogram();
  readonly #listeners = new Set<DurationListener>();
  #timeouts = 0;

  constructor(pool: string) {
    this.#pool = pool;
  }

  /** A request has got its connection, `ms` milliseconds after it asked. */
  waited(ms: number): void {
    this.#wait.add(ms);
    this.#tell('wait', ms);
  }

  /** A lease has ended, `ms` milliseconds after the loan. */
  used(ms: number): void {
    this.#use.add(ms);
    this.#tell('use', ms);
  }

  /** A connection was opened for a request, which took `ms` milliseconds. */
  created(ms: number): void {
    this.#create.add(ms);
    this.#tell('create', ms);
  }

  /** A request got no connection in time. */
  timedOut(): void {
    this.#timeouts++;
  }

  onDuration(listener: DurationListener): () => void {
    this.#listeners.add(listener);
    return () => this.offDuration(listener);
  }

  offDuration(listener: DurationListener): void {
    this.#listeners.delete(listener);
  }

  snapshot(): Pick<PoolMetrics, 'timeouts' | 'waitTime' | 'useTime' | 'createTime'> {
    return {
      timeouts: this.#timeouts,
      waitTime: this.#wait.snapshot(),
      useTime: this.#use.snapshot(),
      createTime: this.#create.snapshot(),
    };
  }

  #tell(duration: PoolDuration, ms: number): void {
    if (this.#listeners.size === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(this.#pool, duration, ms);
      } catch (error) {
        this.#listeners.delete(listener);
        getLogger().error(
          { error: describeError(error), pool: this.#pool },
          'holdfast: a listener for the durations of a pool threw; it is told nothing any more',
        );
      }
    }
  }
}
