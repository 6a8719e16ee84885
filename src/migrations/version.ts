import { InvalidVersionError } from './errors.js';

/** A version: numbers, compared one by one. `1.0` equals `1`, and V10 comes after V2. */
export interface Version {
  /** As it was written, with dots: `1_2` -> `1.2`. */
  readonly text: string;
  /** Without trailing zeros. Of any size: timestamps are versions. */
  readonly parts: readonly bigint[];
}

/**
 * Reads a version as it stands in a file name or on the command line: numbers with dots or underscores between them.
 * Throws `InvalidVersionError` for anything else.
 *
 * @example
 * ```ts
 * compareVersions(parseVersion('10'), parseVersion('2.1')); // 1
 * ```
 */
export function parseVersion(text: string): Version {
  if (!/^\d+(?:[._]\d+)*$/.test(text)) {
    throw new InvalidVersionError(
      `"${text}" is no version: write numbers with dots or underscores between them, as in 1, 1.2 or 20260131120000.`,
    );
  }
  const parts = text.split(/[._]/).map(BigInt);
  while (parts.length > 1 && parts.at(-1) === 0n) parts.pop();
  return { text: text.replaceAll('_', '.'), parts };
}

/**
 * Below 0 when `a` is the lower one, 0 when they are equal, above 0 otherwise.
 *
 * @example
 * ```ts
 * compareVersions(parseVersion('1.0'), parseVersion('1')); // 0
 * ```
 */
export function compareVersions(a: Version, b: Version): number {
  for (let index = 0; index < Math.max(a.parts.length, b.parts.length); index++) {
    const left = a.parts[index] ?? 0n;
    const right = b.parts[index] ?? 0n;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** Equal for equal versions, whatever zeros were written: `1.0` and `01` -> `1`. */
export function versionKey({ parts }: Version): string {
  return parts.join('.');
}
