import { readFileSync } from 'node:fs';
import type { Settings } from '../settings/resolve-settings.js';

const HIDDEN = '***';
/** A password of so few letters, hidden wherever they stand, would hide words. */
const SHORT = 4;
/** Parameters whose value is a secret: `password`, `sslpassword`, `passphrase`, `access_token`. */
const SECRET_PARAMETER = /[?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=([^&#]+)/gi;

/**
 * Takes the url and its password out of a text. Nothing is meant to put them there; a driver's error, or one of a
 * migration in code, could.
 */
export function secretsHidden(settings: Settings | undefined): (text: string) => string {
  const url = urlOf(settings);
  if (url === undefined) return (text) => text;
  const passwords = passwordsOf(url);
  // Without a password the url is the address that people are to see.
  if (passwords.length === 0) return (text) => text;
  const long = passwords.filter((password) => password.length > SHORT);
  const secrets = [url, asJson(url), ...long].sort((a, b) => b.length - a.length);
  return (text) => secrets.reduce((left, secret) => left.replaceAll(secret, HIDDEN), text);
}

function urlOf(settings: Settings | undefined): string | undefined {
  const { url, urlFile } = settings?.options ?? {};
  if (url !== undefined) return url.trim();
  if (urlFile === undefined) return undefined;
  try {
    return readFileSync(urlFile, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** As each is written, decoded, and as JSON has it. */
function passwordsOf(url: string): string[] {
  const own = /^[^:]+:\/\/[^:@/]*:(.+)@/.exec(url)?.[1];
  const parameters = [...url.matchAll(SECRET_PARAMETER)].map(([, value]) => value!);
  const written = own === undefined ? parameters : [own, ...parameters];
  const plain = written.flatMap((text) => [text, decoded(text)]);
  return [...new Set([...plain, ...plain.map(asJson)])];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function asJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
