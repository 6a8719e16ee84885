import type { Frame } from './context.js';
import { type LeaseInfo, type LeaseKind, nextLeaseId, type OpenLeaseRequest } from './lease.js';

/** What a lease tells of itself: mostly what its request knew. */
export class RequestedLease implements LeaseInfo {
  readonly id = nextLeaseId();
  readonly pool: string;
  readonly kind: LeaseKind;
  readonly holder: string | undefined;
  readonly frame: Frame | undefined;
  readonly requestedAt: number;
  readonly acquiredAt: number;
  readonly backendId: number | undefined;
  readonly askedAt: LeaseInfo['askedAt'];
  readonly request: LeaseInfo['request'];
  readonly allowed: string | undefined;
  readonly calledAt: LeaseInfo['calledAt'];
  readonly waited: boolean | undefined;

  constructor(
    request: OpenLeaseRequest,
    { acquiredAt, backendId }: Pick<LeaseInfo, 'acquiredAt' | 'backendId'>,
  ) {
    this.pool = request.pool;
    this.kind = request.kind;
    this.holder = request.holder;
    this.frame = request.frame;
    this.requestedAt = request.requestedAt;
    this.acquiredAt = acquiredAt;
    this.backendId = backendId;
    this.askedAt = request.askedAt;
    this.request = request.request;
    this.allowed = request.allowed;
    this.calledAt = request.calledAt;
    this.waited = request.waited;
  }
}
