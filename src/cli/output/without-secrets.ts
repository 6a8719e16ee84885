import { readFileSync } from 'node:fs';
import type { Settings } from '../settings/resolve-settings.js';

const HIDDEN = '***';

/**
 * Takes the url and its password out of a text. Nothing is meant to put them there; a driver's error, or one of a
 * migration in code, could.
 */
export function secretsHidden(settings: Settings | undefined): (text: string) => string {
  const url = urlOf(settings);
  if (url === undefined) return (text) => text;
  const secrets = [url, asJson(url), ...passwordsOf(url)].sort((a, b) => b.length - a.length);
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

/** As it is written, decoded, and as JSON has it. One of a few letters would hide words. */
function passwordsOf(url: string): string[] {
  const written = /^[^:]+:\/\/[^:@/]*:(.+)@/.exec(url)?.[1];
  if (written === undefined) return [];
  const plain = [written, decoded(written)];
  const all = [...plain, ...plain.map(asJson)];
  return [...new Set(all)].filter((password) => password.length > 4);
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
