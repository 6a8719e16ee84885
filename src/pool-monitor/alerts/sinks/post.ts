import { memberOf } from '../../../core/index.js';
import { readRetryAfter } from '../backoff.js';
import { SinkError } from '../errors.js';

const MOST_READ = 2000;

/** A request to a sink. */
export interface PostRequest {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** What is sent to, for messages: the address may hold a secret. */
  readonly what: string;
}

/**
 * Posts JSON and answers the body of a 2xx. Anything else is a {@link SinkError} that names the status and, where it is
 * one word as Slack's are, what the other side said; never the address.
 */
export async function post({ url, headers, body, what }: PostRequest, signal: AbortSignal): Promise<string> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
      body: JSON.stringify(body),
      // Where a secret is sent is not for the other side to decide.
      redirect: 'manual',
      signal,
    });
  } catch (error) {
    throw unreachable(what, error);
  }
  const answer = await readAnswer(response);
  if (response.ok) return answer;
  throw refused(what, response, answer);
}

/** The error for a request that got no answer. */
export function unreachable(what: string, error: unknown): SinkError {
  const code = memberOf(memberOf(error, 'cause'), 'code') ?? memberOf(error, 'code');
  const why = typeof code === 'string' && /^[A-Z_0-9]{2,40}$/.test(code) ? ` (${code})` : '';
  return new SinkError(`${what} cannot be reached${why}`, { retryable: true });
}

function refused(what: string, { status, headers }: Response, answer: string): SinkError {
  const said = /^[a-z_]{1,60}$/.test(answer.trim()) ? ` ${answer.trim()}` : '';
  return new SinkError(`${what} answered ${status}${said}${ADVICE[answer.trim()] ?? ''}`, {
    retryable: status === 408 || status === 425 || status === 429 || status >= 500,
    retryAfterMs: readRetryAfter(headers.get('retry-after'), Date.now()),
  });
}

/** What Slack's answers mean for whoever reads the log. */
export const ADVICE: Readonly<Record<string, string>> = {
  no_service: ': the webhook was removed or switched off; make a new one and set its url',
  no_team: ': the workspace is gone; make a webhook in another one and set its url',
  invalid_token: ': the url of the webhook is not complete or not valid any more; set the right one',
  action_prohibited: ': an admin of the workspace does not let webhooks post there',
  channel_not_found: ': the channel is gone, or the app is not in it; invite it or choose another one',
  channel_is_archived: ': the channel is archived; choose another one',
  is_archived: ': the channel is archived; choose another one',
  not_in_channel: ': invite the app to the channel',
  invalid_auth: ': the token is not valid; set the right one',
  account_inactive: ': the app was removed from the workspace; install it again',
  token_revoked: ': the token was revoked; install the app again',
  not_authed: ': no token was sent',
  missing_scope: ': the app needs the scope chat:write; add it and install the app again',
};

async function readAnswer(response: Response): Promise<string> {
  const parts: string[] = [];
  let length = 0;
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) {
      parts.push(decoder.decode(chunk as Uint8Array, { stream: true }));
      length += (chunk as Uint8Array).byteLength;
      if (length > MOST_READ) break;
    }
  } catch {
    // The status has been told; what the rest would have said does not matter.
  }
  return parts.join('');
}
