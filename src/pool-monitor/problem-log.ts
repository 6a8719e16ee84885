import { getLogger } from '../core/index.js';

/** More kinds of failure than this in one outage are told by the first ones. */
const MOST_PROBLEMS = 10;

/**
 * Logs each problem once until all is well again, however often it comes about, and then that it is over: a Slack that is
 * down for a night is a line or two. One log for one thing that can go wrong, such as a sink.
 */
export class ProblemLog {
  readonly #fields: object;
  readonly #problems = new Set<string>();

  /** `fields` go into each entry. */
  constructor(fields: object) {
    this.#fields = fields;
  }

  /** `problem` tells problems apart and is the message. */
  failed(problem: string, fields: object = {}): void {
    if (this.#problems.has(problem) || this.#problems.size === MOST_PROBLEMS) return;
    this.#problems.add(problem);
    getLogger().warn({ ...this.#fields, ...fields }, problem);
  }

  works(message: string): void {
    if (this.#problems.size === 0) return;
    this.#problems.clear();
    getLogger().info(this.#fields, message);
  }
}
