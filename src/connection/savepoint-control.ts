/** A savepoint statement by hand. */
export interface SavepointControl {
  readonly verb: 'savepoint' | 'release' | 'rollback to';
  /** As PostgreSQL tells names apart: in small letters where it is not quoted. */
  readonly name: string;
  /** Whether SAVEPOINT takes the place of one of its name. Default: it hides it until it is released. */
  readonly replaces?: boolean;
}

/** What is quoted is looked at so that it is none. */
const COMMENT = /("[^"]*"|`[^`]*`)|\/\*[\s\S]*?\*\/|(?:--|#).*/g;
const STATEMENT =
  /^(?:(savepoint)|(release)(?:\s+savepoint)?|rollback(?:\s+(?:work|transaction))?\s+to(?:\s+savepoint)?)\b\s*(?:"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|([\w$\u0080-\uffff]+))$/i;

/**
 * Reads a statement without white space, comments and separators around it. `undefined` for any other, and for a text of
 * several statements.
 */
export function readSavepoint(statement: string): SavepointControl | undefined {
  const bare = statement.replace(COMMENT, (_, name?: string) => name ?? ' ');
  const found = STATEMENT.exec(bare.trim());
  if (!found) return undefined;
  const [, savepoint, release, quoted, backquoted, plain] = found;
  return {
    verb: savepoint ? 'savepoint' : release ? 'release' : 'rollback to',
    name: plain?.toLowerCase() ?? quoted ?? backquoted!,
  };
}
