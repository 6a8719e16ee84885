import type { FindingKind } from '../finding.js';

/** What is known of a problem of the same pool: its kind, and its call sites. */
export interface Rival {
  readonly kind: FindingKind;
  readonly sites: readonly (string | undefined)[];
}

/** What a kind makes superfluous in its pool, because it is its cause or says more. */
const OUTDOES: Partial<Record<FindingKind, readonly FindingKind[]>> = {
  'self-deadlock': ['exhausted', 'pressure', 'suspect', 'long-transaction'],
  exhausted: ['pressure'],
};

/** The same of the same call site. */
const OUTDOES_AT_SITE: Partial<Record<FindingKind, readonly FindingKind[]>> = {
  leak: ['suspect', 'long-transaction'],
};

/** Whether `lesser` need not be told while `greater` is there. Both are of the same pool. */
export function outdoes(greater: Rival, lesser: Rival): boolean {
  if (OUTDOES[greater.kind]?.includes(lesser.kind)) return true;
  if (!OUTDOES_AT_SITE[greater.kind]?.includes(lesser.kind)) return false;
  return lesser.sites.every((site) => greater.sites.includes(site));
}
