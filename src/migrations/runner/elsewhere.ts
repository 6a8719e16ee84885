import { parameters } from '../history/table-dialect.js';
import type { RunContext } from './run-context.js';

/** A table in another schema of the same database. */
export interface Elsewhere {
  readonly schema: string;
  readonly name: string;
}

/** Tables of one of these names in other schemas than that of the history. On MySQL a schema is a database of its own. */
export async function findElsewhere(
  { session, history }: RunContext,
  names: readonly string[],
): Promise<readonly Elsewhere[]> {
  if (session.dialect === 'mysql') return [];
  return session.query<Elsewhere>(
    `SELECT n.nspname AS "schema", c.relname AS name
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname <> $1 AND n.nspname !~ '^pg_' AND c.relkind IN ('r', 'p')
        AND c.relname IN (${parameters(session, { from: 2, count: names.length })})
      ORDER BY n.nspname, c.relname LIMIT 20`,
    [history.schema, ...names],
  );
}

/** `"_prisma_migrations" is in the schema "shop"`, and how that schema is named. */
export function tellElsewhere(found: readonly Elsewhere[]): string {
  const [{ schema } = { schema: '' }] = found;
  const places = found.slice(0, 3).map(({ name, schema: where }) => `"${name}" is in the schema "${where}"`);
  return `${places.join(', ')}: if that is where migrations go, name it, \`--schema ${schema}\` or ?schema=${schema} in the url.`;
}
