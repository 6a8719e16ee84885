import type { FindingKind, Severity } from '../finding.js';

/**
 * What one process sees of one problem: plain data that survives JSON, for the process that sends the alerts of all.
 * About 1 KB each.
 */
export interface Sighting {
  /** The alert's key: the same in every process. */
  readonly key: string;
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly certainty: 'certain' | 'likely';
  readonly pool: string;
  readonly site: string | undefined;
  /** `Date.now()` of the first sign. */
  readonly since: number;
  readonly evidence: string;
  readonly advice: string;
  readonly count: number;
  /** How it ended, for one that is over in this process. */
  readonly ended: string | undefined;
  /** Connections of the call site that are leaked, by verdict. */
  readonly leaked: number;
  readonly suspected: number;
  /** The pool of this process. */
  readonly inUse: number;
  readonly max: number;
  readonly waiting: number;
  readonly oldestWaitMs: number;
  /** When the pool will be full at the rate seen, in milliseconds from now: at the earliest, at the latest. */
  readonly fullInMs: readonly [number, number] | undefined;
  /** The last statement of the oldest lease, without literals. */
  readonly statement: string | undefined;
}

/** All that a process tells the others. */
export interface FleetShare {
  readonly sightings: readonly Sighting[];
  /** Messages that this process sent while it was the sender, so that the next sender does not repeat them. */
  readonly told: readonly { readonly key: string; /** `Date.now()` */ readonly at: number }[];
}

/** Whether this process sends, and for whom. */
export interface FleetRole {
  readonly sends: boolean;
  /** Why this process speaks for itself alone, where it does though there are others: the database cannot be reached. */
  readonly alone: string | undefined;
}

/**
 * One sender among the processes of a service. Its methods are called on every finding: they answer from memory, at
 * once, and never throw.
 */
export interface Fleet {
  role(): FleetRole;
  /** Replaces what this process told the others before. */
  share(share: FleetShare): void;
  /** What the others told last, by instance. One that is gone is left out. */
  others(): ReadonlyMap<string, FleetShare>;
  /** Calls `listener` when the role or what the others told has changed; answers how to stop that. */
  onChange(listener: () => void): () => void;
}

const NOBODY: ReadonlyMap<string, FleetShare> = new Map();
const LOCAL_ROLE: FleetRole = Object.freeze({ sends: true, alone: undefined });

/** A process that is alone: it always sends. */
export const localFleet: Fleet = Object.freeze({
  role: () => LOCAL_ROLE,
  share: () => undefined,
  others: () => NOBODY,
  onChange: () => () => undefined,
});
