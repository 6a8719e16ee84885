import {
  invalid,
  InvalidOptionsError,
  type Reader,
  readOneOf,
  readString,
  withDefault,
} from '../../../core/index.js';
import type { Severity } from '../../finding.js';

/** What every sink can be told. */
export interface SinkOptions {
  /** How it is called in logs and on the status page; each sink needs a name of its own. */
  readonly name?: string;
  /** The least severity that it is sent. Default: `warning`. */
  readonly minSeverity?: Severity;
}

/** The readers of {@link SinkOptions}. */
export const sinkShape = (
  name: string,
  minSeverity: Severity = 'warning',
): { readonly name: Reader<string>; readonly minSeverity: Reader<Severity> } => ({
  name: withDefault(readString, name),
  minSeverity: withDefault(readOneOf(['info', 'warning', 'critical']), minSeverity),
});

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** An address to send to. It may hold a secret: no message shows it. */
export function readAddress(allowed: 'https' | 'http or https'): Reader<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw invalid(path, value, 'the address to send to, as a string');
    const refuse = (why: string): never => {
      throw new InvalidOptionsError(
        `${path} must be a full ${allowed} address, but ${why}. (It is not shown: it may hold a secret.)`,
      );
    };
    const url = URL.canParse(value) ? new URL(value) : refuse('is none');
    if (url.username || url.password) refuse('has a user name or a password: put them into a header');
    if (url.protocol === 'https:') return url.href;
    if (url.protocol !== 'http:') refuse(`begins with ${url.protocol.slice(0, 20)}`);
    if (allowed === 'https' && !LOOPBACK.test(url.hostname))
      refuse('is http, which anybody on the way can read');
    return url.href;
  };
}

/** Headers of a request. Their values may be secret: no message shows one. */
export const readHeaders: Reader<Readonly<Record<string, string>>> = (value, path) => {
  if (value === undefined) return {};
  if (Object.prototype.toString.call(value) !== '[object Object]')
    throw invalid(path, value, 'an object of header names and values');
  for (const [name, content] of Object.entries(value as object)) {
    try {
      if (typeof content !== 'string') throw new TypeError();
      new Headers([[name, content]]);
    } catch {
      throw new InvalidOptionsError(
        `${path} must hold valid header names with strings as values, but "${name.replace(/[^\w-]/g, '?')}" does not. ` +
          '(The value is not shown: it may be a secret.)',
      );
    }
  }
  return Object.freeze({ ...(value as Record<string, string>) });
};
