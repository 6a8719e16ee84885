import type { Clock } from '../../core/index.js';
import type { MigrationEvent } from '../../migrations/index.js';
import type { Output } from '../terminal.js';
import { duration, printable } from './text.js';
import type { RunningMigration } from './progress-line.js';

/** Shows which migration runs, and for how long. */
export interface Progress {
  /** Takes `started` and `progress`. */
  update(event: MigrationEvent): void;
  /** Takes it away, so that a line can be written. `update` with the next `started` shows it again. */
  hide(): void;
  /** Shows again what was hidden and is not over. */
  show(): void;
  /** The migration is over. */
  end(): void;
}

/** What both kinds keep of the events. */
export class Running {
  #current: Omit<RunningMigration, 'elapsedMs'> | undefined;
  #startedAt = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get current(): RunningMigration | undefined {
    return this.#current && { ...this.#current, elapsedMs: this.#clock.now() - this.#startedAt };
  }

  update(event: MigrationEvent): void {
    if (event.kind === 'started') {
      const { script, number, of } = event;
      this.#current = { script, number, of, statements: 0, share: undefined };
      this.#startedAt = this.#clock.now();
    } else if (event.kind === 'progress' && this.#current) {
      const share = event.totalBytes > 0 ? Math.min(1, event.bytes / event.totalBytes) : undefined;
      this.#current = { ...this.#current, statements: event.statements, share };
    }
  }

  end(): void {
    this.#current = undefined;
  }
}

/** How often a log is told that a migration still runs: a pipeline ends what is silent for too long. */
export const STILL_RUNNING_MS = 30_000;

/** Where there is no terminal: a line when a migration has run for {@link STILL_RUNNING_MS}, and again after each. */
export class ProgressLines implements Progress {
  readonly #running: Running;
  readonly #out: Output;
  readonly #clock: Clock;
  #timer: { clear(): void } | undefined;

  constructor(out: Output, clock: Clock) {
    this.#running = new Running(clock);
    this.#out = out;
    this.#clock = clock;
  }

  update(event: MigrationEvent): void {
    this.#running.update(event);
    if (event.kind === 'started') this.#schedule();
  }

  hide(): void {}

  show(): void {}

  end(): void {
    this.#timer?.clear();
    this.#running.end();
  }

  #schedule(): void {
    this.#timer?.clear();
    this.#timer = this.#clock.setTimer(() => {
      const running = this.#running.current;
      if (!running) return;
      const share =
        running.share === undefined ? '' : `, ${Math.floor(running.share * 100)} % of the file sent`;
      this.#out.line(`${printable(running.script)} runs for ${duration(running.elapsedMs)}${share}`);
      this.#schedule();
    }, STILL_RUNNING_MS);
  }
}
