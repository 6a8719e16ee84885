import { tokensOf } from './postgres-words.js';
import { type ReadSessionUse, temporaryOf } from './session-use.js';

/** What they hold runs later. */
const DEFINES = /^CREATE (?:PROCEDURE|FUNCTION)$/;

/** What a statement of PostgreSQL has to do with temporary tables, views and sequences. */
export const readPostgresSessionUse: ReadSessionUse = ({ text }, traits) => {
  const { command, targets } = traits;
  const tokens = [...tokensOf(text)];
  const temporary = [...temporaryOf(traits), ...selectedInto(tokens)];
  const reads = new Set(
    DEFINES.test(command)
      ? []
      : tokens
          .filter(({ kind }) => kind === 'word' || kind === 'name')
          .map(({ folded }) => folded.toLowerCase()),
  );
  for (const name of temporary) reads.delete(name);
  return {
    leaves: temporary.map((name) => ({ kind: 'temporary table', name, isFromData: true, reads: [] })),
    reads,
    ends: command.startsWith('DROP ') ? targets.map(({ name }) => name.toLowerCase()) : [],
    isSetting: traits.changesSession,
  };
};

/** `SELECT … INTO TEMP t` */
function selectedInto(
  tokens: readonly { readonly value: string; readonly folded: string }[],
): readonly string[] {
  const at = tokens.findIndex(
    ({ value }, index) => value === 'INTO' && /^TEMP(?:ORARY)?$/.test(tokens[index + 1]?.value ?? ''),
  );
  if (at < 0) return [];
  const name = tokens[at + (tokens[at + 2]?.value === 'TABLE' ? 3 : 2)];
  return name ? [name.folded.toLowerCase()] : [];
}
