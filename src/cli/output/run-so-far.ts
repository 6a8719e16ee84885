import type { MigrationEvent } from '../../migrations/index.js';

/** What a run has done, by its events: the result of a failed run has to say it too. */
export class RunSoFar {
  #planned: readonly string[] = [];
  readonly #applied: string[] = [];
  #failed: string | undefined;

  note(event: MigrationEvent): void {
    if (event.kind === 'planned') this.#planned = event.scripts;
    else if (event.kind === 'applied') this.#applied.push(event.script);
    else if (event.kind === 'failed') this.#failed = event.script;
  }

  get applied(): readonly string[] {
    return this.#applied;
  }

  /** Planned, and neither applied nor failed. */
  get notReached(): readonly string[] {
    const done = new Set([...this.#applied, this.#failed]);
    return this.#planned.filter((script) => !done.has(script));
  }
}
