import { InvalidOptionsError } from '../../core/index.js';
import type { Database, MigrationSession } from '../database/session.js';
import { placeOf, type SessionPlace } from '../history/table-dialect.js';
import { detectPooler } from '../locks/detect-pooler.js';
import type { ParsedMigratorOptions } from '../options.js';
import type { RunContext } from './run-context.js';

/** The options, and where what they name is. */
export interface Placed {
  /** `schema` is there where it has to be put in front of the search path. */
  readonly options: ParsedMigratorOptions;
  /** The schema that is named for what migrations create, which need not exist; absent: the server finds one. */
  readonly home: string | undefined;
  readonly place: SessionPlace;
}

/**
 * The options with what the url says of the schema, which is weaker than they are. Sets nothing yet. Throws
 * `InvalidOptionsError` for a schema on MySQL.
 */
export async function placed(
  given: ParsedMigratorOptions,
  { place: ofUrl = {} }: Database,
  session: MigrationSession,
): Promise<Placed> {
  if (session.dialect === 'mysql' && given.schema !== undefined)
    throw new InvalidOptionsError(
      'schema is for PostgreSQL: on MySQL and MariaDB it is the url that names the database, at its end. To keep the history in another one, set history.schema.',
    );
  const path = session.searchPath;
  const named = given.schema ?? ofUrl.schema;
  // Where things go there by themselves, there is nothing to set, and nothing that a pooler could forget.
  const isDefault =
    path === undefined && given.pool === undefined && named === (await defaultOf(session, named));
  const schema = isDefault ? undefined : named;
  const home = given.schema ?? ofUrl.home;
  const options = { ...given, schema, history: { ...given.history, schema: given.history.schema ?? home } };
  if (schema !== undefined || path !== undefined)
    session.defer({ text: searchPath({ schema, path, scope: 'transaction' }) });
  return { options, home, place: await placeOf(session) };
}

/** Where things go on a connection as it began; not asked where no schema is named. */
async function defaultOf(session: MigrationSession, named: string | undefined): Promise<string | undefined> {
  if (named === undefined) return undefined;
  // What is deferred travels with the question, so that it is of the same transaction, and gone with it.
  session.defer({ text: 'SET LOCAL search_path TO DEFAULT' });
  return (await placeOf(session)).schema ?? undefined;
}

/**
 * Sets the search path that files are run with. Throws `InvalidOptionsError` behind a pooler that lends its sessions for a
 * transaction: it would forget the path, and hand it to other clients.
 */
export async function takeSearchPath(context: RunContext): Promise<void> {
  if (!namesPath(context)) return;
  const { options, session, database } = context;
  const { sharesSessions } = await detectPooler(database, session);
  if (sharesSessions) throw new InvalidOptionsError(forgottenPath(context));
  await session.query(searchPath({ schema: options.schema, path: session.searchPath }));
}

/** Whether files are run with another search path than the server's. */
export function namesPath({ options, session }: RunContext): boolean {
  return options.schema !== undefined || session.searchPath !== undefined;
}

/** Why that cannot be behind a pooler in transaction mode. */
export function forgottenPath({ database }: RunContext): string {
  return `A pooler in transaction mode stands in front of ${database.description}: a search path holds there for one transaction, and may reach its other clients. Give the url of the server itself, or have the role begin with the path (ALTER ROLE … SET search_path) and leave the schema out.`;
}

export interface SearchPath {
  /** Goes in front. */
  readonly schema: string | undefined;
  /** In place of the one that the connection began with. */
  readonly path: string | undefined;
  /** Default: the session. */
  readonly scope?: 'session' | 'transaction';
}

/** The statement that sets it. */
export function searchPath({ schema, path, scope = 'session' }: SearchPath): string {
  const front = schema === undefined ? [] : [`pg_catalog.quote_ident(${literal(schema)})`];
  const rest = path === undefined ? `pg_catalog.current_setting('search_path')` : literal(path);
  const value = [...front, rest].join(` || ', ' || `);
  return `SELECT pg_catalog.set_config('search_path', ${value}, ${scope === 'transaction'})`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
