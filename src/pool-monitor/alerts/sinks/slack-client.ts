import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { WebClient, WebClientOptions } from '@slack/web-api';
import { memberOf } from '../../../core/index.js';
import { SinkError } from '../errors.js';
import { ADVICE, unreachable } from './post.js';

/** Where a message is: what `chat.update` and a reply in its thread need. */
export interface MessagePlace {
  readonly channel: string;
  readonly ts: string;
}

interface WebApi {
  readonly WebClient: new (token: string, options: WebClientOptions) => WebClient;
}

const silent = (): void => undefined;

/** Slack's Web API through the application's `@slack/web-api`, with our own queue, tries and limits around it. */
export class SlackClient {
  readonly #token: string;
  readonly #apiUrl: string;
  #api: WebApi | undefined;

  constructor(token: string, apiUrl: string) {
    this.#token = token;
    this.#apiUrl = apiUrl;
  }

  /** Calls a method that answers with a message. Throws {@link SinkError}, which never holds the token. */
  async call(
    method: 'chat.postMessage' | 'chat.update',
    message: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<MessagePlace> {
    this.#api ??= load();
    let failure: unknown;
    // One for each call: that is how a call gets its own signal. It holds nothing open.
    const client = new this.#api.WebClient(this.#token, {
      slackApiUrl: this.#apiUrl,
      retryConfig: { retries: 0 },
      rejectRateLimitedCalls: true,
      // For version 7, which knows neither `fetch` nor a signal.
      timeout: 30_000,
      fetch: async (url, init) => {
        try {
          return await fetch(url, { ...init, signal } as RequestInit);
        } catch (error) {
          failure = error;
          throw error;
        }
      },
      // Its own logger writes to the console.
      logger: {
        debug: silent,
        info: silent,
        warn: silent,
        error: silent,
        setLevel: silent,
        setName: silent,
        getLevel: () => 'error' as never,
      },
    });
    try {
      const { channel, ts } = (await client.apiCall(method, message)) as { channel?: unknown; ts?: unknown };
      return { channel: String(channel), ts: String(ts) };
    } catch (error) {
      throw asSinkError(method, failure ?? error);
    }
  }
}

/** Looked up when it is first needed: who uses no bot needs no package. */
function load(): WebApi {
  const bases = [join(process.cwd(), 'package.json'), process.argv[1]];
  for (const base of bases) {
    if (base === undefined) continue;
    try {
      return createRequire(base)('@slack/web-api') as WebApi;
    } catch (error) {
      if (memberOf(error, 'code') !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new SinkError(
    'slackBot() needs the package @slack/web-api, which the application does not have. Install it (npm install ' +
      '@slack/web-api), or use slackWebhook(), which needs nothing',
  );
}

function asSinkError(method: string, error: unknown): SinkError {
  switch (memberOf(error, 'code')) {
    case 'slack_webapi_rate_limited_error':
      return new SinkError(`Slack's ${method} answered 429`, {
        retryable: true,
        retryAfterMs: Number(memberOf(error, 'retryAfter')) * 1000,
      });
    case 'slack_webapi_http_error': {
      const status = Number(memberOf(error, 'statusCode'));
      return new SinkError(`Slack's ${method} answered ${status}`, { retryable: status >= 500 });
    }
    case 'slack_webapi_platform_error': {
      const said = String(memberOf(memberOf(error, 'data'), 'error'));
      const word = /^[a-z_]{1,60}$/.test(said) ? said : 'an error';
      return new SlackRefusal(`Slack's ${method} answered ${word}${ADVICE[word] ?? ''}`, word);
    }
    default:
      return unreachable(`Slack's ${method}`, memberOf(error, 'original') ?? error);
  }
}

/** Errors of Slack's own that pass. */
const PASSING: readonly string[] = [
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'ratelimited',
  'rate_limited',
];

/** Slack understood the request and refused it. */
export class SlackRefusal extends SinkError {
  /** Slack's word for it, such as `message_not_found`. */
  readonly word: string;

  constructor(message: string, word: string) {
    super(message, { retryable: PASSING.includes(word) });
    this.word = word;
  }
}
