import { readOptions } from '../../../core/index.js';
import type { AlertSink } from '../alert.js';
import { post } from './post.js';
import { readAddress, readHeaders, type SinkOptions, sinkShape } from './sink-options.js';

/** Options of {@link webhook}. */
export interface WebhookOptions extends SinkOptions {
  /** Where to post to. */
  readonly url: string;
  /** Headers of each request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Posts each alert as JSON: the fields of `Alert`, and `format: 1`. Any 2xx is a success; 408, 425, 429 and 5xx are tried
 * again, after `Retry-After` where there is one. A redirect is not followed. Throws `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const sink = webhook({ url: 'https://alerts.example.com/holdfast', headers: { authorization: `Bearer ${token}` } });
 * ```
 */
export function webhook(options: WebhookOptions): AlertSink {
  const { url, headers, name, minSeverity } = readOptions<Required<WebhookOptions>>(
    options,
    { ...sinkShape('webhook'), url: readAddress('http or https'), headers: readHeaders },
    'webhook',
  );
  return {
    name,
    minSeverity,
    async send(alert, signal) {
      await post({ url, headers, body: { format: 1, ...alert }, what: `the webhook ${name}` }, signal);
    },
  };
}
