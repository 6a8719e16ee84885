import { HoldfastError } from '../../core/index.js';
import { readStatus, type StatusDocument } from '../../pool-monitor/index.js';
import { APP_PASSWORD_VARIABLE } from '../settings/settings-table.js';
import { UsageError } from '../usage-error.js';

/** Thrown when the status page of an application does not answer, or does not answer what it should. */
export class StatusUnavailableError extends HoldfastError {
  static readonly code = 'STATUS_UNAVAILABLE';
  readonly code = StatusUnavailableError.code;
}

const LIMIT_MS = 5000;

/** Reads the status page of an application. Throws {@link UsageError} for what is no address of one. */
export class AppSource {
  readonly #url: URL;
  readonly #authorization: string | undefined;
  /** For people: without a password. */
  readonly #name: string;

  constructor(address: string, password: string | undefined) {
    const url = parsed(address);
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
      throw new UsageError(
        '--app must be the address of a status page, such as http://127.0.0.1:3000/internal/pools.',
      );
    this.#name = `${url.origin}${url.pathname}`;
    this.#authorization = password === undefined ? basicOf(url) : `Bearer ${password}`;
    url.username = '';
    url.password = '';
    url.searchParams.set('format', 'json');
    this.#url = url;
  }

  async load(): Promise<StatusDocument> {
    const { status, text } = await this.#ask();
    if (status === 401 || status === 404)
      throw new StatusUnavailableError(
        `${this.#name} answers ${status}: there is no status page, or it does not know you. Give its password in ${APP_PASSWORD_VARIABLE}.`,
      );
    const document = status === 200 ? readStatus(text) : undefined;
    if (document) return document;
    throw new StatusUnavailableError(
      `${this.#name} answers ${status}, and not what a status page of holdfast does. --app takes the address that statusPage() is served at.`,
    );
  }

  async #ask(): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(this.#url, {
        headers: this.#authorization === undefined ? {} : { authorization: this.#authorization },
        // What is sent elsewhere is not for elsewhere.
        redirect: 'manual',
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      const { cause, name, message } = error as Error & { cause?: { code?: string } };
      const why = name === 'TimeoutError' ? `no answer within ${LIMIT_MS} ms` : (cause?.code ?? message);
      throw new StatusUnavailableError(
        `${this.#name} does not answer (${why}). Is the application running, and is this the address of its status page?`,
        { cause: error },
      );
    }
  }
}

function parsed(address: string): URL | undefined {
  try {
    return new URL(address);
  } catch {
    return undefined;
  }
}

function basicOf({ username, password }: URL): string | undefined {
  if (password === '') return undefined;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}
