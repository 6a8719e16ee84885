import {
  InvalidOptionsError,
  type Reader,
  readOptions,
  readString,
  withDefault,
} from '../../../core/index.js';
import type { Alert, AlertSink } from '../alert.js';
import { type MessagePlace, SlackClient, SlackRefusal } from './slack-client.js';
import { slackDetails, slackMessage } from './slack-message.js';
import { readAddress, type SinkOptions, sinkShape } from './sink-options.js';

/** Options of {@link slackBot}. */
export interface SlackBotOptions extends SinkOptions {
  /** The bot token of a Slack app with the scope `chat:write`: `xoxb-…`. */
  readonly token: string;
  /** The id of the channel, or its name with `#`. The app has to be in it. */
  readonly channel: string;
  /** Where Slack's Web API is. Default: `https://slack.com/api/`. */
  readonly apiUrl?: string;
}

/** Messages that are remembered; what is older is answered by a new message. */
const MOST_MESSAGES = 500;
/** The message is not there to be changed any more: somebody deleted it, or it is too old. */
const GONE: readonly string[] = [
  'message_not_found',
  'cant_update_message',
  'edit_window_closed',
  'thread_not_found',
];

const readToken: Reader<string> = (value, path) => {
  if (typeof value === 'string' && /^xox[a-z]-[\w-]+$|^xoxe\.[\w.-]+$/.test(value)) return value;
  throw new InvalidOptionsError(
    `${path} must be a bot token of Slack (xoxb-…), but is ${typeof value === 'string' ? 'another string' : typeof value}. (It is not shown.)`,
  );
};

/**
 * Sends alerts to a Slack channel as a bot: one message for each problem, which changes while it lasts and says how it
 * ended; the details are in its thread. Needs the package `@slack/web-api`, which is loaded with the first alert. Throws
 * `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const sink = slackBot({ token: process.env.SLACK_BOT_TOKEN!, channel: 'C0123456789' });
 * ```
 */
export function slackBot(options: SlackBotOptions): AlertSink {
  const { token, channel, apiUrl, name, minSeverity } = readOptions<Required<SlackBotOptions>>(
    options,
    {
      ...sinkShape('slack'),
      token: readToken,
      channel: readString,
      apiUrl: withDefault(readAddress('https'), 'https://slack.com/api/'),
    },
    'slackBot',
  );
  const bot = new SlackBot(new SlackClient(token, apiUrl), channel);
  return {
    name,
    minSeverity,
    minGapMs: 1000,
    send: (alert, signal) => bot.send(alert, signal),
    update: (alert, signal) => bot.update(alert, signal),
  };
}

interface Thread extends MessagePlace {
  /** The details have been told. */
  detailed: boolean;
  /** What the channel was told last, so that another try does not say it twice. */
  replied: string;
}

function stageOf({ status, repeat }: Alert): string {
  return `${status} ${repeat}`;
}

class SlackBot {
  readonly #client: SlackClient;
  readonly #channel: string;
  /** By alert key. */
  readonly #threads = new Map<string, Thread>();

  constructor(client: SlackClient, channel: string) {
    this.#client = client;
    this.#channel = channel;
  }

  async send(alert: Alert, signal: AbortSignal): Promise<void> {
    const changed = await this.#change(alert, signal);
    const thread = changed ?? (await this.#open(alert, signal));
    if (changed && alert.kind !== 'storm') await this.#notify(thread, alert, signal);
    if (alert.status === 'resolved') this.#threads.delete(alert.key);
    else if (!thread.detailed) await this.#detail(thread, alert, signal);
  }

  async update(alert: Alert, signal: AbortSignal): Promise<void> {
    await this.#change(alert, signal);
  }

  /** Changes the message that there is; `undefined` where there is none. */
  async #change(alert: Alert, signal: AbortSignal): Promise<Thread | undefined> {
    const thread = this.#threads.get(alert.key);
    if (!thread) return undefined;
    const { channel, ts } = thread;
    try {
      await this.#client.call('chat.update', { channel, ts, parse: 'none', ...slackMessage(alert) }, signal);
      return thread;
    } catch (error) {
      if (!(error instanceof SlackRefusal) || !GONE.includes(error.word)) throw error;
      this.#threads.delete(alert.key);
      return undefined;
    }
  }

  async #open(alert: Alert, signal: AbortSignal): Promise<Thread> {
    const place = await this.#client.call('chat.postMessage', this.#post(slackMessage(alert)), signal);
    const thread: Thread = { ...place, detailed: false, replied: stageOf(alert) };
    this.#threads.set(alert.key, thread);
    if (this.#threads.size > MOST_MESSAGES) {
      const [oldest] = this.#threads.keys();
      this.#threads.delete(oldest!);
    }
    return thread;
  }

  async #detail(thread: Thread, alert: Alert, signal: AbortSignal): Promise<void> {
    const details = slackDetails(alert);
    if (details) await this.#client.call('chat.postMessage', this.#reply(thread, details), signal);
    thread.detailed = true;
  }

  /** A changed message notifies nobody: a line in its thread does, and the channel sees that it is still there. */
  async #notify(thread: Thread, alert: Alert, signal: AbortSignal): Promise<void> {
    if (thread.replied === stageOf(alert)) return;
    const { text } = slackMessage(alert);
    const reply = { ...this.#reply(thread, { text }), reply_broadcast: alert.status === 'firing' };
    await this.#client.call('chat.postMessage', reply, signal);
    thread.replied = stageOf(alert);
  }

  #post(message: object): Record<string, unknown> {
    return {
      channel: this.#channel,
      parse: 'none',
      link_names: false,
      unfurl_links: false,
      unfurl_media: false,
      ...message,
    };
  }

  #reply({ channel, ts }: MessagePlace, message: object): Record<string, unknown> {
    return { ...this.#post(message), channel, thread_ts: ts };
  }
}
