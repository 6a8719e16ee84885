import { bindContext } from '../core/index.js';

interface Job {
  readonly run: () => Promise<unknown>;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** The statements of one scope that wait for their turn. */
export class Lane {
  readonly jobs: Job[] = [];
  /** The method that opened the scope, for messages. */
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * The order in which one connection is used: one statement at a time, in the order of asking, and only from the
 * innermost lane. While a savepoint is open its lane is the innermost, and whatever the scopes around it ask for
 * waits: a statement in between would be undone by a rollback that is none of its business.
 */
export class StatementQueue {
  /** From the outermost lane to the innermost. */
  readonly #lanes: Lane[];
  #running = false;
  readonly #idle: (() => void)[] = [];

  constructor(root: Lane) {
    this.#lanes = [root];
  }

  /** Runs `work` when it is its turn. */
  submit<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    if (!this.#running && this.innermost === lane && lane.jobs.length === 0) return this.#run(work);
    return new Promise<T>((resolve, reject) => {
      // The turn comes in another statement's async context; what runs then belongs to this one.
      lane.jobs.push({ run: bindContext(work), resolve, reject });
    });
  }

  /** Makes `lane` the innermost. Only from inside a running job. */
  enter(lane: Lane): void {
    this.#lanes.push(lane);
  }

  /** Takes out `lane` and whatever is inside it. Only when nothing else runs. */
  leave(lane: Lane): void {
    const index = this.#lanes.indexOf(lane);
    if (index > 0) this.#lanes.length = index;
    this.#pump();
  }

  /** Rejects everything that waits in `lane` and inside it. */
  refuse(lane: Lane, error: () => Error): void {
    const index = this.#lanes.indexOf(lane);
    const inside = index === -1 ? [lane] : this.#lanes.slice(index);
    for (const each of inside) for (const job of each.jobs.splice(0)) job.reject(error());
  }

  /** Whether nothing runs and the innermost lane is empty. */
  get idle(): boolean {
    return !this.#running && this.innermost.jobs.length === 0;
  }

  /** Resolves when the queue is {@link idle}. */
  drained(): Promise<void> {
    if (this.idle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Runs `work` as soon as nothing runs and the innermost lane is empty; what is asked for meanwhile waits. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    while (!this.idle) await this.drained();
    return this.#run(work);
  }

  get running(): boolean {
    return this.#running;
  }

  /** Whether anything waits for its turn. */
  get waiting(): boolean {
    return this.#lanes.some(({ jobs }) => jobs.length > 0);
  }

  /** The lane whose turn it is. */
  get innermost(): Lane {
    return this.#lanes.at(-1)!;
  }

  /** The lane next to it in which something waits for its end. */
  get heldBack(): Lane | undefined {
    return this.#lanes.slice(0, -1).findLast(({ jobs }) => jobs.length > 0);
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    this.#running = true;
    const finished = (): void => {
      this.#running = false;
      this.#pump();
    };
    return work().then(
      (value) => (finished(), value),
      (error: unknown) => {
        finished();
        throw error;
      },
    );
  }

  #pump(): void {
    if (this.#running) return;
    const job = this.innermost.jobs.shift();
    if (job) this.#run(job.run).then(job.resolve as (value: unknown) => void, job.reject);
    else for (const resolve of this.#idle.splice(0)) resolve();
  }
}
