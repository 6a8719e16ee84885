import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  describeError,
  getLogger,
  invalid,
  type Reader,
  readFunction,
  readOptions,
  withDefault,
} from '../../core/index.js';
import type { MonitorView } from '../view.js';
import { renderPage } from './page.js';
import { statusJson, statusOf } from './status-document.js';
import { STYLE } from './style.js';

/** Says whether whoever sent a request may see the page. One that throws or rejects denies. */
export type StatusAuthorizer = (request: IncomingMessage) => boolean | PromiseLike<boolean>;

/** Options of {@link statusPage}. */
export interface StatusPageOptions {
  /** Required: the page shows statements, call sites and server sessions. `passwordGuard()` is one. */
  readonly authorize: StatusAuthorizer;
  /**
   * What others are answered: 404, which does not tell that there is a page, or 401, upon which a browser asks for a
   * password. Default: 404.
   */
  readonly denied?: 401 | 404;
}

/** A handler for `node:http`, Express and Nest. Answers every path that it is given. */
export type StatusHandler = (request: IncomingMessage, response: ServerResponse) => void;

const readDenied: Reader<401 | 404> = (value, path) => {
  if (value !== 401 && value !== 404) throw invalid(path, value, '401 or 404');
  return value;
};

/**
 * Reads the options of a status page, for what passes them on. Throws `InvalidOptionsError`, which names them by `path`.
 *
 * @example
 * ```ts
 * const { authorize, denied } = parseStatusPageOptions(options, 'statusPage');
 * ```
 */
export function parseStatusPageOptions(raw: StatusPageOptions, path: string): Required<StatusPageOptions> {
  return readOptions<Required<StatusPageOptions>>(
    raw,
    { authorize: readFunction<StatusAuthorizer>(), denied: withDefault(readDenied, 404) },
    path,
  );
}

/**
 * A page that shows what the monitor knows: gauges over the last hour, who holds connections and who waits for one, the
 * server's side, findings and alerts. `?format=json` is the same for programs, `holdfast pool top --app` among them. It
 * reads counters and asks no pool for a connection: it works while the pool is full. Read-only, without a script, and
 * nothing in it is loaded from anywhere.
 *
 * @throws InvalidOptionsError for wrong options: without `authorize` there is no page.
 *
 * @example
 * ```ts
 * const page = statusPage(monitor, { authorize: passwordGuard(process.env.STATUS_PASSWORD), denied: 401 });
 * http.createServer(page).listen(9090, '127.0.0.1');
 * app.use('/internal/pools', page); // Express
 * ```
 */
export function statusPage(view: MonitorView, options: StatusPageOptions): StatusHandler {
  const { authorize, denied } = parseStatusPageOptions(options, 'statusPage(view, options)');
  return (request, response) => {
    void isAllowed(authorize, request).then((allowed) => {
      if (response.destroyed || response.headersSent) return;
      if (!allowed) deny(response, denied);
      else if (request.method === 'GET' || request.method === 'HEAD') answer(view, request, response);
      else end(response, 405, { headers: { allow: 'GET, HEAD' }, text: 'GET or HEAD only\n' });
    });
  };
}

async function isAllowed(authorize: StatusAuthorizer, request: IncomingMessage): Promise<boolean> {
  try {
    // Nothing but true: a guard that answers an object by mistake lets nobody in.
    return (await authorize(request)) === true;
  } catch (error) {
    getLogger().error(
      { error: describeError(error) },
      'holdfast: authorize() of the status page threw; the request was denied',
    );
    return false;
  }
}

function deny(response: ServerResponse, status: 401 | 404): void {
  if (status === 404) return end(response, 404, { text: 'Not Found\n' });
  end(response, 401, {
    headers: { 'www-authenticate': 'Basic realm="holdfast", charset="UTF-8"' },
    text: 'Unauthorized\n',
  });
}

function answer(view: MonitorView, request: IncomingMessage, response: ServerResponse): void {
  try {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const status = statusOf(view);
    if (searchParams.get('format') === 'json') {
      const text = statusJson(status);
      return end(response, 200, { headers: { 'content-type': 'application/json; charset=utf-8' }, text });
    }
    const refresh = searchParams.get('refresh') === 'off' ? 'still' : 'refreshing';
    end(response, 200, {
      headers: { 'content-type': 'text/html; charset=utf-8' },
      text: renderPage(status, refresh),
    });
  } catch (error) {
    getLogger().error({ error: describeError(error) }, 'holdfast: the status page could not be made');
    if (!response.headersSent) end(response, 500, { text: 'The status page could not be made.\n' });
  }
}

let policy: string | undefined;

/** The one stylesheet is allowed by its hash; all else is refused, a script above all. */
function contentSecurityPolicy(): string {
  return (policy ??= [
    `default-src 'none'`,
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ].join('; '));
}

function end(
  response: ServerResponse,
  status: number,
  { headers, text }: { readonly headers?: Record<string, string>; readonly text: string },
): void {
  const body = Buffer.from(text);
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
    'content-security-policy': contentSecurityPolicy(),
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...headers,
  });
  // Node itself leaves the body of an answer to HEAD away.
  response.end(body);
}
