import type { ManagedPool } from 'holdfast';

type Observer = Parameters<ManagedPool['observe']>[0];
type Lease = Parameters<NonNullable<Observer['acquired']>>[0];
type Request = Parameters<NonNullable<Observer['wait']>>[0];

export interface LeaseEvent {
  readonly event: 'wait' | 'gaveUp' | 'acquired' | 'abandoned' | 'returned' | 'destroyed' | 'lateUse';
  readonly lease: Lease | Request;
  readonly detail?: unknown;
  readonly end?: unknown;
}

/** Writes down the lease events of a pool. */
export class LeaseLog {
  readonly events: LeaseEvent[] = [];
  readonly stop: () => void;

  /** `more`: what the observer has besides. */
  constructor(managed: ManagedPool, more: Observer = {}) {
    this.stop = managed.observe({
      ...more,
      wait: (lease) => void this.events.push({ event: 'wait', lease }),
      acquired: (lease) => void this.events.push({ event: 'acquired', lease }),
      abandoned: (lease) => void this.events.push({ event: 'abandoned', lease }),
      gaveUp: (lease, detail) => void this.events.push({ event: 'gaveUp', lease, detail }),
      returned: (lease, end) => void this.events.push({ event: 'returned', lease, end }),
      destroyed: (lease, detail, end) => void this.events.push({ event: 'destroyed', lease, detail, end }),
      lateUse: (lease, detail) => void this.events.push({ event: 'lateUse', lease, detail }),
    });
  }

  /** `event kind`, in order. */
  get lines(): string[] {
    return this.events.map(({ event, lease }) => `${event} ${lease.kind}`);
  }

  /** `event #n`, in order, with the leases numbered by their first appearance. */
  get numbered(): string[] {
    const ids: number[] = [];
    return this.events.map(({ event, lease }) => {
      if (!('id' in lease)) return event;
      if (!ids.includes(lease.id)) ids.push(lease.id);
      return `${event} #${ids.indexOf(lease.id) + 1}`;
    });
  }

  leases(): Lease[] {
    return this.events.flatMap(({ event, lease }) => (event === 'acquired' ? [lease as Lease] : []));
  }
}
