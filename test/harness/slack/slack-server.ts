import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { blockProblems, textProblems } from './block-rules.js';

/** A message as a channel shows it. */
export interface SlackMessage {
  readonly via: 'webhook' | 'bot';
  readonly ts: string;
  readonly threadTs: string | undefined;
  /** Shown in the channel too, though it is in a thread. */
  readonly isBroadcast: boolean;
  text: string;
  blocks: readonly Record<string, unknown>[];
  /** How often it was changed. */
  edits: number;
}

/** What the stand-in does instead of taking a message. */
export type SlackFault =
  | 'hang'
  | 'reset'
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> };

/** Answers that Slack documents for incoming webhooks. */
export const webhookAnswers = {
  invalidPayload: { status: 400, body: 'invalid_payload' },
  noText: { status: 400, body: 'no_text' },
  actionProhibited: { status: 403, body: 'action_prohibited' },
  invalidToken: { status: 403, body: 'invalid_token' },
  noService: { status: 404, body: 'no_service' },
  channelNotFound: { status: 404, body: 'channel_not_found' },
  channelIsArchived: { status: 410, body: 'channel_is_archived' },
  rollupError: { status: 500, body: 'rollup_error' },
} as const satisfies Record<string, SlackFault>;

/** 429, with a header of seconds, or of any other text. */
export function tooMany(retryAfter: number | string): SlackFault {
  return { status: 429, body: 'rate_limited', headers: { 'retry-after': String(retryAfter) } };
}

const WEBHOOK_PATH = '/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX';
const CHANNEL = 'C0HOLDFAST';

/** Starts a Slack of one workspace, one channel, one webhook and one bot: https://docs.slack.dev, as far as alerts go. */
export async function startSlack(): Promise<SlackServer> {
  const slack = new SlackServer();
  await slack.listen();
  return slack;
}

export class SlackServer {
  readonly token = 'xoxb-0000000000-holdfast-stand-in';
  readonly channel = CHANNEL;
  /** What the channel and its threads hold, in the order of arrival. */
  readonly messages: SlackMessage[] = [];
  /** When each request came, by `performance.now()`. */
  readonly requests: number[] = [];
  /** Why messages were refused. */
  readonly problems: string[] = [];
  /** `archived`: no message is taken. */
  channelState: 'open' | 'archived' | 'gone' = 'open';

  private readonly faults: (SlackFault | undefined)[] = [];
  private steady: SlackFault | undefined;
  private readonly waiting = new Set<() => void>();
  private readonly server: Server = createServer((request, response) => void this.serve(request, response));
  private port = 0;
  private count = 0;

  get webhookUrl(): string {
    return `http://127.0.0.1:${this.port}${WEBHOOK_PATH}`;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.port}/api/`;
  }

  /** What the channel shows outside its threads. */
  get posts(): readonly SlackMessage[] {
    return this.messages.filter(({ threadTs }) => threadTs === undefined);
  }

  /** What is in the thread of a message. */
  threadOf({ ts }: SlackMessage): readonly SlackMessage[] {
    return this.messages.filter(({ threadTs }) => threadTs === ts);
  }

  /** Does this at the next requests, one each. */
  next(...faults: SlackFault[]): void {
    this.faults.push(...faults);
  }

  /** Takes so many requests, then does this at the next one. */
  afterNext(count: number, fault: SlackFault): void {
    this.faults.push(...Array.from({ length: count }, () => undefined), fault);
  }

  /** Does this at every request; `undefined` ends it. */
  always(fault: SlackFault | undefined): void {
    this.steady = fault;
  }

  /** Resolves when so many requests have come since the start, answered or not. */
  async sawRequests(count: number): Promise<void> {
    await this.until(() => this.requests.length >= count);
  }

  /** Resolves when the channel and its threads hold so many messages. */
  async sawMessages(count: number): Promise<void> {
    await this.until(() => this.messages.length >= count);
  }

  /** Resolves when `isTrue` is, looked at after each request. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.waiting.add(resolve));
  }

  async listen(): Promise<void> {
    await once(this.server.listen(this.port, '127.0.0.1'), 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk as string;
    this.requests.push(performance.now());
    const fault = this.faults.shift() ?? this.steady;
    if (fault === 'reset') request.socket.resetAndDestroy();
    else if (fault !== undefined && fault !== 'hang') send(response, fault);
    else if (fault === undefined) this.answer(request, response, body);
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }

  private answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const path = request.url ?? '';
    if (path.startsWith('/api/')) return this.answerApi(request, response, body);
    if (path !== WEBHOOK_PATH) return send(response, webhookAnswers.noService);
    const message = parse(body, 'application/json');
    if (request.method !== 'POST' || !message) return send(response, webhookAnswers.invalidPayload);
    if (this.channelState === 'archived') return send(response, webhookAnswers.channelIsArchived);
    if (this.channelState === 'gone') return send(response, webhookAnswers.channelNotFound);
    const refusal = this.refusalOf(message);
    if (refusal !== undefined) return send(response, { status: 400, body: refusal });
    this.post(message, 'webhook');
    send(response, { status: 200, body: 'ok' });
  }

  private answerApi(request: IncomingMessage, response: ServerResponse, body: string): void {
    const method = request.url!.slice('/api/'.length);
    const message = parse(body, request.headers['content-type'] ?? '');
    const answer = (result: object): void =>
      send(response, {
        status: 200,
        body: JSON.stringify(result),
        headers: { 'content-type': 'application/json' },
      });
    const refuse = (error: string): void => answer({ ok: false, error });
    if (request.headers.authorization !== `Bearer ${this.token}`) return refuse('invalid_auth');
    if (!message) return refuse('invalid_form_data');
    if (message.channel !== CHANNEL && message.channel !== '#alerts') return refuse('channel_not_found');
    if (this.channelState !== 'open')
      return refuse(this.channelState === 'archived' ? 'is_archived' : 'channel_not_found');
    const refusal = this.refusalOf(message);
    if (refusal !== undefined) return refuse(refusal);
    if (method === 'chat.postMessage') {
      if (message.thread_ts !== undefined && !this.find(message.thread_ts)) return refuse('thread_not_found');
      return answer({ ok: true, channel: CHANNEL, ts: this.post(message, 'bot').ts });
    }
    if (method !== 'chat.update') return refuse('unknown_method');
    // An id, not a name: chat.update knows no other.
    const known = message.channel === CHANNEL ? this.find(message.ts) : undefined;
    if (!known) return refuse('message_not_found');
    if (known.via !== 'bot') return refuse('cant_update_message');
    Object.assign(known, contentOf(message), { edits: known.edits + 1 });
    answer({ ok: true, channel: CHANNEL, ts: known.ts });
  }

  private refusalOf({ text, blocks }: Record<string, unknown>): string | undefined {
    if (text === undefined && blocks === undefined) return 'no_text';
    const problems = [
      ...(text === undefined ? [] : textProblems(text)),
      ...(blocks === undefined ? [] : blockProblems(blocks)),
    ];
    this.problems.push(...problems);
    return problems.length > 0 ? 'invalid_blocks' : undefined;
  }

  private post(message: Record<string, unknown>, via: 'webhook' | 'bot'): SlackMessage {
    this.count += 1;
    const posted: SlackMessage = {
      via,
      ts: `1760000000.${String(this.count).padStart(6, '0')}`,
      threadTs: message.thread_ts as string | undefined,
      isBroadcast: String(message.reply_broadcast) === 'true',
      ...contentOf(message),
      edits: 0,
    };
    this.messages.push(posted);
    return posted;
  }

  private find(ts: unknown): SlackMessage | undefined {
    return this.messages.find((message) => message.ts === ts);
  }
}

function contentOf({ text, blocks }: Record<string, unknown>): Pick<SlackMessage, 'text' | 'blocks'> {
  return { text: String(text ?? ''), blocks: (blocks ?? []) as SlackMessage['blocks'] };
}

/** JSON, or a form whose blocks are JSON; `undefined` for what is neither. */
function parse(body: string, type: string): Record<string, unknown> | undefined {
  try {
    if (!type.startsWith('application/x-www-form-urlencoded'))
      return JSON.parse(body) as Record<string, unknown>;
    const form: Record<string, unknown> = Object.fromEntries(new URLSearchParams(body));
    if (typeof form.blocks === 'string') form.blocks = JSON.parse(form.blocks);
    return form;
  } catch {
    return undefined;
  }
}

function send(
  response: ServerResponse,
  { status, body = '', headers = {} }: Exclude<SlackFault, string>,
): void {
  response.writeHead(status, { 'content-type': 'text/html', ...headers }).end(body);
}
