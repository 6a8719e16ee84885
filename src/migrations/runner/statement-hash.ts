import { createHash, type Hash } from 'node:crypto';
import type { Statement } from '../sql/statement.js';

/** The hash of a segment of the journal: over the texts of its statements. */
export function hashOf(statement?: Statement): Hash {
  const hash = createHash('sha256');
  return statement ? addTo(hash, statement) : hash;
}

export function addTo(hash: Hash, { text }: Statement): Hash {
  return hash.update(text).update('\0');
}
