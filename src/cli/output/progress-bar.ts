import { SingleBar } from 'cli-progress';
import type { Clock } from '../../core/index.js';
import type { MigrationEvent } from '../../migrations/index.js';
import type { Output } from '../terminal.js';
import { progressLine } from './progress-line.js';
import { type Progress, Running } from './progress.js';

/** A line at the bottom of a terminal that is drawn again several times a second. */
export class ProgressBar implements Progress {
  readonly #running: Running;
  readonly #bar: SingleBar;

  constructor(out: Output, clock: Clock) {
    this.#running = new Running(clock);
    this.#bar = new SingleBar({
      stream: out.stream as NodeJS.WritableStream,
      clearOnComplete: true,
      // A process that is killed must not leave a terminal without a cursor, or one that does not wrap.
      hideCursor: false,
      linewrap: true,
      gracefulExit: false,
      format: () => (this.#running.current ? progressLine(this.#running.current, (out.width ?? 80) - 1) : ''),
    });
  }

  update(event: MigrationEvent): void {
    this.#running.update(event);
    if (event.kind === 'started') this.show();
    else this.#bar.update(0);
  }

  hide(): void {
    this.#bar.stop();
  }

  show(): void {
    if (this.#running.current && !this.#bar.isActive) this.#bar.start(1, 0);
  }

  end(): void {
    this.hide();
    this.#running.end();
  }
}
