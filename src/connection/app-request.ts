import { AsyncLocalStorage } from 'node:async_hooks';
import {
  CallSite,
  type Clock,
  processGlobal,
  readClock,
  readFunction,
  readString,
  systemClock,
} from '../core/index.js';

/** Frames below an ORM's door: the application's is among the first. */
const FRAMES = 30;

/** A unit of the application's work: an HTTP request, a job, a message. Leases that are asked for in it carry it. */
export interface AppRequest {
  /** What it is called in reports: `POST /orders`, `job:invoices`. */
  readonly label: string;
  /** `Clock.now()` of its begin, in milliseconds. */
  readonly startedAt: number;
  /** `Clock.now()` of its end, in milliseconds; `undefined` while it runs. A lease that is out after it was forgotten. */
  readonly endedAt: number | undefined;
}

/** What the async context says of leases that are asked for in it. */
export interface LeaseContext {
  readonly request: AppRequest | undefined;
  /** Why they are held on purpose: {@link allowHeld}. */
  readonly allowed: string | undefined;
  /** Where the application called what asks for them, where an ORM loses its stack on the way: {@link withCallSite}. */
  readonly calledAt: { readonly stack: string } | undefined;
}

/** A request whose begin and end are told by whoever serves it. */
export interface OpenRequest {
  readonly request: AppRequest;
  /** Runs `work`, and all that it awaits, as part of the request. */
  run<T>(work: () => T): T;
  /** The request is answered: what it has borrowed should be back. Later calls change nothing. */
  end(): void;
}

const OUTSIDE: LeaseContext = Object.freeze({ request: undefined, allowed: undefined, calledAt: undefined });
const storage = processGlobal('holdfast.lease-context/1', () => new AsyncLocalStorage<LeaseContext>());

/**
 * Begins a request whose end is told by `end()`: for a middleware, which knows of the answer by an event.
 *
 * @param label What it is called in reports. User input belongs into no label: use the route, not the URL. A function is
 *   asked whenever the label is read, and for the last time at the end: the route is known later than the request.
 * @param clock Where its times come from, the pool's own. Default: the system's clock.
 * @throws InvalidOptionsError for an empty label or what is no clock.
 *
 * @example
 * ```ts
 * app.use((req, res, next) => {
 *   const request = openRequest(() => `${req.method} ${req.route?.path ?? 'no route'}`);
 *   res.once('close', () => request.end());
 *   request.run(next);
 * });
 * ```
 */
export function openRequest(label: string | (() => string), clock: Clock = systemClock): OpenRequest {
  readClock(clock, 'openRequest(label, clock)');
  let name = typeof label === 'function' ? label : readString(label, 'openRequest(label)');
  const request = {
    get label(): string {
      return typeof name === 'function' ? name() : name;
    },
    startedAt: clock.now(),
    endedAt: undefined as number | undefined,
  };
  return {
    request,
    run: (work) => storage.run({ ...OUTSIDE, request }, work),
    end: () => {
      if (request.endedAt !== undefined) return;
      request.endedAt = clock.now();
      // What the label was made of, the whole request of the framework, is kept no longer.
      name = request.label;
    },
  };
}

/**
 * Runs `work` as one request, which ends when the promise of `work` has settled: for a job, a message handler, a script.
 *
 * @param label What it is called in reports.
 * @throws InvalidOptionsError for an empty label or what is no function; whatever `work` throws.
 *
 * @example
 * ```ts
 * await runInRequest('job:invoices', () => this.invoices.sendAll());
 * ```
 */
export async function runInRequest<T>(label: string, work: () => T | PromiseLike<T>): Promise<T> {
  readFunction()(work, 'runInRequest(label, work)');
  const request = openRequest(label);
  try {
    return await request.run(work);
  } finally {
    request.end();
  }
}

/** The request that the running call is part of. */
export function currentRequest(): AppRequest | undefined {
  return leaseContext().request;
}

/** What the context of the running call says of the leases that it asks for. */
export function leaseContext(): LeaseContext {
  return storage.getStore() ?? OUTSIDE;
}

/** Runs `work` knowing where it was called: for the door of an ORM that asks for its connection on another stack. */
export function withCallSite<T>(work: () => T): T {
  return storage.run({ ...leaseContext(), calledAt: new CallSite(withCallSite, FRAMES) }, work);
}

/**
 * Marks the leases that are taken inside `work` as held on purpose: the pool monitor reports them as such, and never as a
 * leak. For a LISTEN client, an advisory lock that is held for the life of the process, a replication stream.
 *
 * @param reason What it is held for: it stands in reports.
 * @throws InvalidOptionsError for an empty reason or what is no function; whatever `work` throws.
 *
 * @example
 * ```ts
 * const listener = await allowHeld('listener', () => pool.connect());
 * await listener.query('LISTEN order_placed');
 * ```
 */
export function allowHeld<T>(reason: string, work: () => T): T {
  readFunction()(work, 'allowHeld(reason, work)');
  const allowed = readString(reason, 'allowHeld(reason)');
  return storage.run({ ...leaseContext(), allowed }, work);
}
