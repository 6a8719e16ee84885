import type { FindingBook, FindingDraft } from './finding-book.js';
import { keyOf } from './finding-book.js';
import { formatMs } from '../format.js';

/** How long nothing of the kind must happen before the finding is over. */
const QUIET_MS = 300_000;

/** Findings that are moments: a double release, a connection that came back in a transaction. Each is counted. */
export class Occurrences {
  readonly #findings: FindingBook;
  readonly #quietMs = new Map<string, number>();

  constructor(findings: FindingBook) {
    this.#findings = findings;
  }

  add(draft: Omit<FindingDraft, 'count'>): void {
    const key = keyOf(draft);
    const count = (this.#findings.get(key)?.count ?? 0) + 1;
    this.#quietMs.set(key, 0);
    this.#findings.put({ ...draft, count });
  }

  has(key: string): boolean {
    return this.#quietMs.has(key);
  }

  sweep(elapsedMs: number): void {
    for (const [key, quietMs] of this.#quietMs) {
      if (quietMs + elapsedMs < QUIET_MS) this.#quietMs.set(key, quietMs + elapsedMs);
      else {
        this.#quietMs.delete(key);
        this.#findings.close(key, `Not seen again for ${formatMs(QUIET_MS)}.`);
      }
    }
  }
}
