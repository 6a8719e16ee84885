import { writeAtOnce } from './one-write.js';
import { startOfStatement } from './pg-control.js';
import type { PgClient, PgQuery } from './pg-types.js';

/**
 * Whether control statements can travel in front of `query` in one flight. They travel as extended-protocol
 * messages under the query's own Sync, which leaves out texts of several statements (extended Parse takes one),
 * COPY, paged reads, and a named statement that this connection has yet to parse: pg would take the answer to
 * our Parse for the answer to its own and believe the name known even when its Parse fails.
 */
export function canCarryPrefix(query: PgQuery, client: PgClient): boolean {
  const { text, name, values } = query;
  if (typeof text !== 'string' || text === '' || query.rows || (values && !Array.isArray(values)))
    return false;
  if (name && client.connection.parsedStatements[name] !== text) return false;
  const separator = text.indexOf(';');
  if (separator !== -1 && text.slice(separator).trim() !== ';') return false;
  const start = startOfStatement(text);
  return !/^copy\b/i.test(text.slice(start, start + 5));
}

/** What travels in front of a query. */
export interface Prefix {
  readonly statements: readonly string[];
  /** Receives the value that the last of the statements answers. */
  readonly receive?: (value: string | null) => void;
  /** Sends the answers on their way before the query itself is executed. */
  readonly flush?: boolean;
}

/**
 * Makes `query` write a prefix in front of itself and swallow the prefix's answers. Everything stands under one
 * Sync, so by protocol the server skips the query when a prefix statement fails: it is never executed outside
 * the transaction that the prefix was to open.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
export function attachPrefix(query: PgQuery, { statements, receive, flush }: Prefix): void {
  const { handleDataRow, handleCommandComplete } = Object.getPrototypeOf(query) as PgQuery;
  let unanswered = statements.length;
  query.queryMode = 'extended';
  const inFront = statements.map(statementMessages);
  if (flush) inFront.push(FLUSH);
  writeAtOnce(query, inFront);
  if (receive) {
    const received: PgQuery['handleDataRow'] = ({ fields: [value] }) =>
      receive(value == null ? null : String(value));
    query.handleDataRow = received;
  }
  const completed = (): void => {
    if (--unanswered > 0) return;
    query.handleDataRow = handleDataRow;
    query.handleCommandComplete = handleCommandComplete;
  };
  query.handleCommandComplete = completed;
}

const FLUSH = Buffer.from([0x48, 0, 0, 0, 4]);

const CACHED = 100;
const cache = new Map<string, Buffer>();

/** Parse, Bind and Execute of a statement without parameters in one piece: each piece that is written costs. */
function statementMessages(text: string): Buffer {
  const known = cache.get(text);
  if (known) return known;
  const made = Buffer.concat([
    message('P', `\0${text}\0\0\0`),
    message('B', '\0\0\0\0\0\0\0\0'),
    message('E', '\0\0\0\0\0'),
  ]);
  // BEGIN in its few forms comes again and again; the names of savepoints have no end.
  if (cache.size < CACHED) cache.set(text, made);
  return made;
}

function message(type: 'P' | 'B' | 'E', body: string): Buffer {
  const bytes = Buffer.from(`${type}....${body}`);
  bytes.writeInt32BE(bytes.length - 1, 1);
  return bytes;
}
