import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Clock,
  processGlobal,
  readClock,
  readFunction,
  readString,
  systemClock,
} from '../core/index.js';

/** A unit of the application's work: an HTTP request, a job, a message. Leases that are asked for in it carry it. */
export interface AppRequest {
  /** What it is called in reports: `POST /orders`, `job:invoices`. */
  readonly label: string;
  /** `Clock.now()` of its begin, in milliseconds. */
  readonly startedAt: number;
  /** `Clock.now()` of its end, in milliseconds; `undefined` while it runs. A lease that is out after it was forgotten. */
  readonly endedAt: number | undefined;
  /** Why leases that are taken in it are held on purpose: `allowHeld`. */
  readonly allowed?: string | undefined;
}

/** A request whose begin and end are told by whoever serves it. */
export interface OpenRequest {
  readonly request: AppRequest;
  /** Runs `work`, and all that it awaits, as part of the request. */
  run<T>(work: () => T): T;
  /** The request is answered: what it has borrowed should be back. Later calls change nothing. */
  end(): void;
}

const storage = processGlobal('holdfast.app-request/1', () => new AsyncLocalStorage<AppRequest>());

/**
 * Begins a request whose end is told by `end()`: for a middleware, which knows of the answer by an event.
 *
 * @param label What it is called in reports. User input belongs into no label: use the route, not the URL.
 * @param clock Where its times come from, the pool's own. Default: the system's clock.
 * @throws InvalidOptionsError for an empty label or what is no clock.
 *
 * @example
 * ```ts
 * app.use((req, res, next) => {
 *   const request = openRequest(`${req.method} ${req.baseUrl}`);
 *   res.once('close', () => request.end());
 *   request.run(next);
 * });
 * ```
 */
export function openRequest(label: string, clock: Clock = systemClock): OpenRequest {
  readClock(clock, 'openRequest(label, clock)');
  const request = {
    label: readString(label, 'openRequest(label)'),
    startedAt: clock.now(),
    endedAt: undefined as number | undefined,
  };
  return {
    request,
    run: (work) => storage.run(request, work),
    end: () => void (request.endedAt ??= clock.now()),
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
  return storage.getStore();
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
  const around = currentRequest() ?? { label: allowed, startedAt: systemClock.now(), endedAt: undefined };
  return storage.run({ ...around, allowed }, work);
}
