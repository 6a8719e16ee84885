import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { invalid } from '../../core/index.js';

const SHORTEST = 16;

/**
 * Lets those in who know a password: as `Authorization: Bearer …`, or as the password of HTTP Basic, under any user name.
 * It is compared in constant time.
 *
 * @param password At least 16 characters, from the environment or a secret store.
 * @throws InvalidOptionsError for a shorter one.
 *
 * @example
 * ```ts
 * statusPage(monitor, { authorize: passwordGuard(process.env.STATUS_PASSWORD), denied: 401 });
 * ```
 */
export function passwordGuard(password: string | undefined): (request: IncomingMessage) => boolean {
  if (typeof password !== 'string' || password.length < SHORTEST)
    throw invalid('passwordGuard(password)', undefined, `a text of at least ${SHORTEST} characters`);
  const expected = digest(password);
  return ({ headers }) => {
    const given = passwordIn(headers.authorization);
    return given !== undefined && timingSafeEqual(digest(given), expected);
  };
}

function passwordIn(authorization = ''): string | undefined {
  const [, scheme, value] = /^(bearer|basic) +(\S+)$/i.exec(authorization) ?? [];
  if (value === undefined) return undefined;
  if (scheme!.toLowerCase() === 'bearer') return value;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon === -1 ? undefined : pair.slice(colon + 1);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
