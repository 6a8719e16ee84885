import { startOfStatement } from './pg-control.js';
import type { PgClient, PgConnection, PgQuery } from './pg-types.js';

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

/**
 * Makes `query` write `prefix` in front of itself and swallow the prefix's answers. Everything stands under one
 * Sync, so by protocol the server skips the query when a prefix statement fails: it is never executed outside
 * the transaction that the prefix was to open.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
export function attachPrefix(query: PgQuery, prefix: readonly string[]): void {
  let unanswered = prefix.length;
  query.queryMode = 'extended';
  query.submit = (connection) =>
    corked(connection, () => {
      for (const text of prefix) sendStatement(connection, text);
      return (Object.getPrototypeOf(query) as PgQuery).submit.call(query, connection);
    });
  query.handleCommandComplete = () => {
    if (--unanswered === 0) delete (query as Partial<PgQuery>).handleCommandComplete;
  };
}

/**
 * Makes `query` ask for the transaction's id first, in the same flight. The Flush sends the id's answer on its
 * way before the query itself is executed: if the connection breaks during a COMMIT, the id is there already.
 */
export function attachTransactionIdRead(query: PgQuery, receive: (id: string | null) => void): void {
  query.queryMode = 'extended';
  query.submit = (connection) =>
    corked(connection, () => {
      sendStatement(connection, 'SELECT pg_current_xact_id_if_assigned()::text');
      connection.flush();
      return (Object.getPrototypeOf(query) as PgQuery).submit.call(query, connection);
    });
  query.handleDataRow = ({ fields }) => receive(fields[0] == null ? null : String(fields[0]));
  query.handleCommandComplete = () => {
    delete (query as Partial<PgQuery>).handleDataRow;
    delete (query as Partial<PgQuery>).handleCommandComplete;
  };
}

function sendStatement(connection: PgConnection, text: string): void {
  connection.parse({ text });
  connection.bind({});
  connection.execute({});
}

function corked<T>(connection: PgConnection, write: () => T): T {
  connection.stream.cork?.();
  try {
    return write();
  } finally {
    connection.stream.uncork?.();
  }
}
