import { describeError, getLogger } from '../../core/index.js';
import type { Finding, FindingEvent, FindingKind } from '../finding.js';

/** A finding as it is judged, before it has a key and a first sign. */
export type FindingDraft = Omit<Finding, 'key' | 'since'>;

type Listener = (event: FindingEvent) => void;

/** The findings that are open, each under the key of its kind, pool and call site. */
export class FindingBook {
  readonly #open = new Map<string, Finding>();
  readonly #listeners = new Set<Listener>();
  readonly #wallClock: () => number;

  constructor(wallClock: () => number) {
    this.#wallClock = wallClock;
  }

  /** Opens it, or brings the open one up to date. What only grew older is no change that anybody is told of. */
  put(draft: FindingDraft): void {
    const key = keyOf(draft);
    const before = this.#open.get(key);
    const finding = Object.freeze({ ...draft, key, since: before?.since ?? this.#wallClock() });
    this.#open.set(key, finding);
    if (!before) this.#tell({ change: 'opened', finding });
    else if (differs(before, finding)) this.#tell({ change: 'updated', finding });
  }

  close(key: string, ended: string): void {
    const finding = this.#open.get(key);
    if (!finding) return;
    this.#open.delete(key);
    this.#tell({ change: 'closed', finding, ended });
  }

  get(key: string): Finding | undefined {
    return this.#open.get(key);
  }

  /** Oldest first. */
  of(pool: string): readonly Finding[] {
    return [...this.#open.values()].filter((finding) => finding.pool === pool);
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(event: FindingEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        getLogger().error(
          { error: describeError(error), finding: event.finding.key },
          'holdfast: a listener of the pool monitor threw; the monitor goes on without it',
        );
      }
    }
  }
}

/** The key of a finding within one service. */
export function keyOf({
  kind,
  pool,
  site,
}: {
  readonly kind: FindingKind;
  readonly pool: string;
  readonly site: string | undefined;
}): string {
  return [kind, pool, site ?? ''].join('|');
}

function differs(before: Finding, after: Finding): boolean {
  return (
    before.count !== after.count || before.severity !== after.severity || before.certainty !== after.certainty
  );
}
