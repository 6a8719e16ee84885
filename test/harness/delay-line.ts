import { setTimeout as sleep } from 'node:timers/promises';

interface Parcel {
  readonly deliver: () => void;
  readonly dueAt: number;
}

/** Delivers in order, each parcel not before its delay has passed. Without a delay it delivers at once. */
export class DelayLine {
  private readonly parcels: Parcel[] = [];
  private isPumping = false;
  private isClosed = false;

  constructor(private readonly delayMs: () => number) {}

  push(deliver: () => void): void {
    const delayMs = this.delayMs();
    if (delayMs <= 0 && !this.isPumping) {
      if (!this.isClosed) deliver();
      return;
    }
    this.parcels.push({ deliver, dueAt: performance.now() + delayMs });
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
      const waitMs = parcel.dueAt - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      if (this.isClosed) break;
      parcel.deliver();
    }
    this.isPumping = false;
  }
}
