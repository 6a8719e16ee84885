import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { FleetShare, Sighting } from '../alerts/fleet.js';
import type { FindingKind } from '../finding.js';

/** What a process tells the others. */
export interface Envelope {
  readonly instance: string;
  readonly share: FleetShare;
}

/** All that one process may tell, packed. About 300 sightings. */
const MOST_PACKED = 48_000;
const MOST_UNPACKED = 2_000_000;
const LONGEST_TEXT = 4000;

export function isEmpty({ sightings, told }: FleetShare): boolean {
  return sightings.length === 0 && told.length === 0;
}

/** As base64, which is in no SQL's way. What is too much is left out, from the end. */
export function pack({ instance, share }: Envelope): string {
  for (let most = share.sightings.length; ; most = Math.floor(most / 2)) {
    const { sightings, told } = share;
    const json = JSON.stringify({
      instance,
      sightings: sightings.slice(0, most),
      told: told.slice(0, 2 * most + 100),
    });
    const packed = deflateRawSync(json).toString('base64');
    if (packed.length <= MOST_PACKED || most === 0) return packed;
  }
}

/** `undefined` for what no monitor packed: whoever is let into the database can write there. */
export function unpack(packed: string): Envelope | undefined {
  try {
    const json = inflateRawSync(Buffer.from(packed, 'base64'), { maxOutputLength: MOST_UNPACKED });
    const { instance, sightings, told } = JSON.parse(json.toString()) as Record<string, unknown>;
    if (!isText(instance) || !Array.isArray(sightings) || !Array.isArray(told)) return undefined;
    return { instance, share: { sightings: sightings.filter(isSighting), told: told.filter(isMark) } };
  } catch {
    return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= LONGEST_TEXT;
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const maybe =
  (check: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === undefined || check(value);
const oneOf =
  (...allowed: readonly string[]) =>
  (value: unknown): boolean =>
    allowed.includes(value as string);

const KINDS: readonly FindingKind[] = [
  'suspect',
  'leak',
  'exhausted',
  'pressure',
  'self-deadlock',
  'dirty-release',
  'double-release',
  'stale-use',
  'long-transaction',
  'late-return',
];

const SIGHTING: { readonly [K in keyof Sighting]-?: (value: unknown) => boolean } = {
  key: isText,
  kind: (value) => KINDS.includes(value as FindingKind),
  severity: oneOf('info', 'warning', 'critical'),
  certainty: oneOf('certain', 'likely'),
  pool: isText,
  site: maybe(isText),
  since: isNumber,
  evidence: isText,
  advice: isText,
  count: isNumber,
  ended: maybe(isText),
  leaked: isNumber,
  suspected: isNumber,
  inUse: isNumber,
  max: (value) => isNumber(value) || value === null,
  waiting: isNumber,
  oldestWaitMs: isNumber,
  fullInMs: maybe((value) => Array.isArray(value) && value.length === 2 && value.every(isNumber)),
  statement: maybe(isText),
};

function isSighting(value: unknown): value is Sighting {
  if (typeof value !== 'object' || value === null) return false;
  const members = value as Record<string, unknown>;
  // JSON has no Infinity, which a pool without a limit has for its largest size.
  if (members['max'] === null) members['max'] = Infinity;
  return Object.entries(SIGHTING).every(
    ([name, check]) => check(members[name]) || (name === 'max' && members[name] === Infinity),
  );
}

function isMark(value: unknown): value is FleetShare['told'][number] {
  const { key, at } = Object(value) as Record<string, unknown>;
  return isText(key) && isNumber(at);
}
