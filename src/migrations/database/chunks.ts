import type { SqlStatement, Statement } from '../sql/statement.js';

/** Statements that travel together, and the place of the first of them in what was handed to `run`. */
export interface Chunk {
  readonly first: number;
  readonly statements: readonly SqlStatement[];
}

export interface ChunkLimits {
  readonly statements: number;
  /** UTF-16 code units of all texts; a longer statement travels by itself. */
  readonly length: number;
}

/** The statements from `first` on that may travel together: up to the limits, or to the next COPY. Empty if that is a COPY. */
export function takeChunk(all: readonly Statement[], first: number, limits: ChunkLimits): Chunk {
  const statements: SqlStatement[] = [];
  let length = 0;
  for (let index = first; index < all.length && statements.length < limits.statements; index++) {
    const statement = all[index]!;
    if (statement.kind === 'copy') break;
    length += statement.text.length;
    if (statements.length > 0 && length > limits.length) break;
    statements.push(statement);
  }
  return { first, statements };
}
