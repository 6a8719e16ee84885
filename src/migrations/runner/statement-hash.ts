import { createHash, type Hash } from 'node:crypto';
import type { JournalEntry } from '../history/journal.js';
import { abridge } from '../sql/abridge.js';
import { sourceText } from '../sql/source-text.js';
import type { Statement } from '../sql/statement.js';
import { isBuiltIn } from './script-values.js';

/** The hash of a segment of the journal: over the texts of its statements. */
export function hashOf(statement?: Statement): Hash {
  const hash = createHash('sha256');
  return statement ? addTo(hash, statement) : hash;
}

export function addTo(hash: Hash, statement: Statement): Hash {
  return hash.update(withoutBuiltIns(statement)).update('\0');
}

/** What Flyway's own placeholders stand for is another thing in the next run, which has to know the statement again. */
function withoutBuiltIns({ text, replacements }: Statement): string {
  const builtIns = replacements?.filter(({ source }) => isBuiltIn(source.slice(2)));
  return builtIns === undefined ? text : sourceText({ text, replacements: builtIns });
}

/** What the journal says of statements, from the first to the last. */
export function entryOf({
  first,
  last,
  hash,
}: {
  readonly first: Statement;
  readonly last: Statement;
  readonly hash: Hash;
}): JournalEntry {
  return {
    first: first.index,
    last: last.index,
    sha256: hash.copy().digest('hex'),
    line: first.start.line,
    text: abridge(sourceText(first)),
  };
}
