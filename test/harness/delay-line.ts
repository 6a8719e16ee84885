import { setTimeout as sleep } from 'node:timers/promises';

interface Parcel {
  readonly deliver: () => void;
  readonly kept: Promise<unknown> | undefined;
  readonly dueAt: number;
}

/**
 * Delivers in order, each parcel not before its delay has passed, and what it is kept for has come. Without either it
 * delivers at once.
 */
export class DelayLine {
  private readonly parcels: Parcel[] = [];
  private isPumping = false;
  private isClosed = false;

  constructor(
    private readonly delayMs: () => number,
    private readonly keptFor: () => Promise<unknown> | undefined = () => undefined,
  ) {}

  push(deliver: () => void): void {
    const [delayMs, kept] = [this.delayMs(), this.keptFor()];
    if (delayMs <= 0 && kept === undefined && !this.isPumping) {
      if (!this.isClosed) deliver();
      return;
    }
    this.parcels.push({ deliver, kept, dueAt: performance.now() + delayMs });
    if (!this.isPumping) void this.pump();
  }

  /** Forgets what is under way. */
  close(): void {
    this.isClosed = true;
    this.parcels.length = 0;
  }

  private async pump(): Promise<void> {
    this.isPumping = true;
    for (let parcel = this.parcels.shift(); parcel !== undefined; parcel = this.parcels.shift()) {
      await parcel.kept;
      const waitMs = parcel.dueAt - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      if (this.isClosed) break;
      parcel.deliver();
    }
    this.isPumping = false;
  }
}
