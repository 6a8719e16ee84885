import { readOptions } from '../../../core/index.js';
import type { AlertSink } from '../alert.js';
import { post } from './post.js';
import { readAddress, type SinkOptions, sinkShape } from './sink-options.js';
import { slackMessage } from './slack-message.js';

/** Options of {@link slackWebhook}. */
export interface SlackWebhookOptions extends SinkOptions {
  /** The address of the webhook, which is a secret: `https://hooks.slack.com/services/…`. */
  readonly url: string;
}

/**
 * Sends alerts to a Slack channel over an incoming webhook. A webhook cannot change a message: a repeat and the end of a
 * problem are messages of their own. For one message that changes take {@link slackBot}. Throws `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const sink = slackWebhook({ url: process.env.SLACK_WEBHOOK_URL! });
 * ```
 */
export function slackWebhook(options: SlackWebhookOptions): AlertSink {
  const { url, name, minSeverity } = readOptions<Required<SlackWebhookOptions>>(
    options,
    { ...sinkShape('slack'), url: readAddress('https') },
    'slackWebhook',
  );
  return {
    name,
    minSeverity,
    // Slack takes one message a second from a webhook.
    minGapMs: 1000,
    async send(alert, signal) {
      await post({ url, body: slackMessage(alert), what: 'the Slack webhook' }, signal);
    },
  };
}
