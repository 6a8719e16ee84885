import { createHash } from 'node:crypto';
import { databaseCodeOf } from '../database/explain-error.js';
import type { MigrationSession } from '../database/session.js';
import type { AskedOfServer } from './landed.js';
import type { StatementTarget } from './traits.js';

/** What the server answers where an object does not exist: table, database, routine, trigger, event. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['1146', '1049', '1305', '1360', '1539']);
/** The statement whose answer holds all of an object's definition. Views and tables share their names. */
const SHOW: Partial<Record<StatementTarget['kind'], string>> = {
  table: 'TABLE',
  view: 'TABLE',
  index: 'TABLE',
  sequence: 'SEQUENCE',
  procedure: 'PROCEDURE',
  function: 'FUNCTION',
  trigger: 'TRIGGER',
  event: 'EVENT',
  database: 'DATABASE',
};
/** The next number of a table changes with every row. */
const NEXT_NUMBER = / AUTO_INCREMENT=\d+/;

/** A table that InnoDB does not have. */
const NO_ID = '-';

/** A short hash of an object's definition, or `absent`. */
export type Definition = string;

/**
 * The definitions of objects; undefined where one cannot be seen for want of a right, or has none.
 */
export async function readDefinitions(
  session: MigrationSession,
  targets: readonly StatementTarget[],
): Promise<readonly Definition[] | undefined> {
  const found: Definition[] = [];
  for (const target of targets) {
    const definition = await readDefinition(session, target);
    if (definition === undefined) return undefined;
    found.push(definition);
  }
  return found;
}

async function readDefinition(
  session: MigrationSession,
  target: StatementTarget,
): Promise<Definition | undefined> {
  const show = SHOW[target.kind];
  if (show === undefined) return undefined;
  try {
    const rows = await session.query(`SHOW CREATE ${show} ${nameOf(session, target)}`);
    const column = Object.entries(rows[0] ?? {}).find(([name]) => /^(?:Create |SQL Original)/.test(name));
    if (typeof column?.[1] !== 'string') return undefined;
    return createHash('sha256').update(column[1].replace(NEXT_NUMBER, '')).digest('hex').slice(0, 16);
  } catch (error) {
    if (session.lost) throw error;
    return ABSENT.has(databaseCodeOf(error)) ? 'absent' : undefined;
  }
}

/** As it is written in a statement. For an index, that of its table. */
export function nameOf(session: MigrationSession, { kind, schema, name, table }: StatementTarget): string {
  const own = session.quote(kind === 'index' ? (table ?? name) : name);
  return schema === undefined ? own : `${session.quote(schema)}.${own}`;
}

/**
 * How the server is asked whether there is nothing of a table's name, and answers with one of two texts. SHOW CREATE says so
 * as well, as an error, for which MariaDB looks through all of its storage engines.
 */
export function whetherThere(
  { schema, name }: StatementTarget,
  { there, absent }: { readonly there: string; readonly absent: string },
): AskedOfServer {
  // Of a text, and of DATABASE() as it is, the server knows before it reads the catalogue which table is meant.
  const place = schema === undefined ? 'DATABASE()' : '?';
  return {
    sql: `IF(EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = ${place} AND table_name = ?), ?, ?)`,
    values: [...(schema === undefined ? [name] : [schema, name]), there, absent],
  };
}

/**
 * InnoDB's numbers of tables and their partitions, which follow a table when it is renamed or exchanged and are new
 * when it is truncated. Undefined without the right PROCESS, and for names that InnoDB writes in another way, and where none of the tables is InnoDB's.
 */
export async function readTableIds(
  session: MigrationSession,
  targets: readonly StatementTarget[],
): Promise<string | undefined> {
  const view = session.server.product === 'mysql' ? 'INNODB_TABLES' : 'INNODB_SYS_TABLES';
  const ids: string[] = [];
  try {
    for (const { schema, name } of targets) {
      if (!/^\w+$/.test(name) || (schema !== undefined && !/^\w+$/.test(schema))) return undefined;
      const path = "CONCAT(COALESCE(?, DATABASE()), '/', ?)";
      const rows = await session.query<{ id: number | string }>(
        `SELECT table_id AS id FROM information_schema.${view}
          WHERE name = ${path} OR LEFT(name, CHAR_LENGTH(${path}) + 3) = CONCAT(${path}, '#p#') ORDER BY name`,
        [1, 2, 3].flatMap(() => [schema ?? null, name]),
      );
      ids.push(rows.map(({ id }) => String(id)).join('+') || NO_ID);
    }
  } catch (error) {
    if (session.lost) throw error;
    return undefined;
  }
  return ids.every((id) => id === NO_ID) ? undefined : ids.join(',');
}
