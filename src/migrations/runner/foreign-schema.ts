import { ValidationFailedError } from '../errors.js';
import type { Problem } from '../migrator.js';
import type { RunContext } from './run-context.js';
import { list } from './describe-failure.js';
import { findElsewhere, tellElsewhere } from './elsewhere.js';
import { FOREIGN_TABLES } from './foreign-history.js';
import type { Survey } from './survey.js';

/** Tables that show whose migrations the schema had so far: `migrations`, which may be anybody's, last. */
const OTHER_TOOLS: readonly (readonly [from: string, table: string])[] = Object.entries(FOREIGN_TABLES).sort(
  ([, one], [, other]) => Number(one === FOREIGN_TABLES.typeorm) - Number(other === FOREIGN_TABLES.typeorm),
);

/** What extensions brought does not count, nor the sequence of a column: its table does. */
const OBJECTS = {
  postgres: `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_catalog.pg_class'::regclass
        AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')))
    ORDER BY c.relkind IN ('r', 'p') DESC, c.relname LIMIT 1000`,
  mysql:
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name LIMIT 1000',
} as const;

/**
 * Without a history, migrations are for an empty schema: they begin with its first table. Throws `ValidationFailedError`
 * for one that is not empty, and names what to do: `adopt` where another tool was here, else `baseline`, or `--schema`.
 */
export async function requireAdoptedSchema(context: RunContext): Promise<void> {
  const message = await adoptionProblem(context);
  if (message !== undefined) throw new ValidationFailedError(message);
}

/** That as `status`, `validate` and `doctor` tell it: a problem of the first migration that would be run. */
export async function adoptionProblems(
  context: RunContext,
  { hasHistory, plan }: Survey,
): Promise<readonly Problem[]> {
  const [first] = plan.pending;
  if (hasHistory || first === undefined) return [];
  const message = await adoptionProblem(context);
  return message === undefined ? [] : [{ script: first.script, state: 'PENDING', message }];
}

/** Why `up` would begin with its first migration in the wrong place; undefined where it would not. */
async function adoptionProblem(context: RunContext): Promise<string | undefined> {
  const { session, history } = context;
  const names = await namesIn(session, history.schema);
  if (names.length === 0) return historyElsewhere(context);
  const other = OTHER_TOOLS.find(([, table]) => names.includes(table) && table !== history.name);
  const advice =
    other === undefined
      ? 'If migrations up to a version are in it already, say which: `baseline V`; if another tool applied them, take over its history: `adopt --from flyway|prisma|typeorm|umzug|dbmate`.'
      : `"${other[1]}" looks like the history of ${other[0]}: take it over with \`adopt --from ${other[0]}\`. Or say up to which version it is: \`baseline V\`.`;
  const elsewhere =
    other === undefined ? await findElsewhere(context, [history.name, ...Object.values(FOREIGN_TABLES)]) : [];
  const where = elsewhere.length === 0 ? '' : ` ${tellElsewhere(elsewhere)}`;
  return `The schema ${session.quote(history.schema)} is not empty (${list(names)}), and there is no ${history.table}: nobody knows which migrations it has. ${advice}${where}`;
}

/**
 * The history of another tool that was to be gone on with, in a schema that nobody has named: public is where a connection
 * comes to by itself, and all that was applied would be applied there once more.
 */
async function historyElsewhere(context: RunContext): Promise<string | undefined> {
  const { history, options } = context;
  const isNamed = options.history.schema !== undefined || history.schema !== 'public';
  if (history.format === 'holdfast' || isNamed) return undefined;
  const found = await findElsewhere(context, [history.name]);
  if (found.length === 0) return undefined;
  return `There is no ${history.table}, but ${tellElsewhere(found)} If they go into "public" from now on: \`--schema public\`.`;
}

/**
 * Throws `ValidationFailedError` where the schema holds more than the empty table of a tool, by which nobody knows which
 * migrations it has.
 */
export async function requireNothingElse(
  { session, history }: RunContext,
  { from, table }: { readonly from: string; readonly table: string },
): Promise<void> {
  const names = (await namesIn(session, history.schema)).filter((name) => name !== table);
  if (names.length === 0) return;
  throw new ValidationFailedError(
    `"${table}" says of nothing that ${from} has applied it, and the schema ${session.quote(history.schema)} is not empty (${list(names)}): nobody knows which migrations it has. If migrations up to a version are in it already, say which: \`baseline V\`. Nothing was taken over.`,
  );
}

/** What is in the schema beside what is ours. */
async function namesIn(session: RunContext['session'], schema: string): Promise<readonly string[]> {
  const rows = await session.query<{ name: string }>(OBJECTS[session.dialect], [schema]);
  return rows.map(({ name }) => name).filter((name) => !name.startsWith('holdfast_'));
}
