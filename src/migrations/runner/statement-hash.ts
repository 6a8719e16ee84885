import { createHash, hash as hashAtOnce, type Hash } from 'node:crypto';
import type { JournalEntry } from '../history/journal.js';
import { abridge } from '../sql/abridge.js';
import { sourceText } from '../sql/source-text.js';
import type { Statement } from '../sql/statement.js';
import { isBuiltIn } from './script-values.js';

/** The hash of a segment of the journal: over the texts of its statements. */
export function hashOf(): Hash {
  return createHash('sha256');
}

/** That of a segment of one statement, in hex. */
export function sha256Of(statement: Statement): string {
  return hashAtOnce('sha256', `${withoutBuiltIns(statement)}\0`);
}

export function addTo(hash: Hash, statement: Statement): Hash {
  return hash.update(withoutBuiltIns(statement)).update('\0');
}

/** What Flyway's own placeholders stand for is another thing in the next run, which has to know the statement again. */
function withoutBuiltIns({ text, replacements }: Statement): string {
  const builtIns = replacements?.filter(({ source }) => isBuiltIn(source.slice(2)));
  return builtIns === undefined ? text : sourceText({ text, replacements: builtIns });
}

interface Segment {
  readonly first: Statement;
  readonly last: Statement;
  readonly hash: Hash;
}

/** What the journal says of statements, from the first to the last. */
export function entryOf({ first, last, hash }: Segment): JournalEntry {
  return { ...placeOf(first), last: last.index, sha256: hash.copy().digest('hex') };
}

/** What it says of one by itself. */
export function entryOfOne(statement: Statement): JournalEntry {
  return { ...placeOf(statement), last: statement.index, sha256: sha256Of(statement) };
}

function placeOf(first: Statement): Pick<JournalEntry, 'first' | 'line' | 'text'> {
  return { first: first.index, line: first.start.line, text: abridge(sourceText(first)) };
}
