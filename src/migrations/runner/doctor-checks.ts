import type { DoctorCheck } from '../migrator.js';
import type { Product } from '../database/session.js';
import { detectPooler } from '../locks/detect-pooler.js';
import { grantOnTable } from './explain-own-error.js';
import type { RunContext } from './run-context.js';
import { forgottenPath, namesPath } from './search-path.js';

type Finding = Omit<DoctorCheck, 'name'>;

/** One thing to look at on the server. What it throws makes it a failed one. */
export interface ServerCheck {
  readonly name: string;
  run(): Promise<Finding>;
}

/** The oldest servers that holdfast's tests or their makers still stand for. */
const OLDEST: Readonly<Record<Product, { readonly number: number; readonly text: string }>> = {
  postgres: { number: 130000, text: 'PostgreSQL 13' },
  mysql: { number: 80000, text: 'MySQL 8.0' },
  mariadb: { number: 100600, text: 'MariaDB 10.6' },
};

/** A server's clock that is further off than this puts rows of the history into a doubtful order. */
const SKEW_LIMIT_MS = 5000;

export function serverChecks(context: RunContext): readonly ServerCheck[] {
  const own = context.session.dialect === 'mysql' ? mysqlChecks(context) : postgresChecks(context);
  return [
    { name: 'version', run: () => Promise.resolve(checkVersion(context)) },
    { name: 'writable', run: () => Promise.resolve(checkWritable(context)) },
    ...own,
    { name: 'pooler', run: () => checkPooler(context) },
    { name: 'clock', run: () => checkClock(context) },
  ];
}

function checkVersion({ session: { server } }: RunContext): Finding {
  const oldest = OLDEST[server.product];
  if (server.versionNumber >= oldest.number)
    return { result: 'ok', message: `${server.product} ${server.version}.` };
  return {
    result: 'warning',
    message: `${server.product} ${server.version} is older than ${oldest.text}, the oldest that is tested.`,
  };
}

function checkWritable({ session: { server } }: RunContext): Finding {
  return server.isReadOnly
    ? {
        result: 'failed',
        message:
          'The server only reads: a replica, or read-only by its settings. Give the url of the primary.',
      }
    : { result: 'ok', message: 'The server takes writes.' };
}

async function checkPooler(context: RunContext): Promise<Finding> {
  const { database, session, options } = context;
  const { found, sharesSessions } = await detectPooler(database, session);
  if (!found) return { result: 'ok', message: 'No pooler was seen.' };
  if (!sharesSessions)
    return { result: 'ok', message: 'A pooler stands in between; it keeps a session for each connection.' };
  if (namesPath(context)) return { result: 'failed', message: forgottenPath(context) };
  return options.lock.kind === 'lease'
    ? {
        result: 'ok',
        message:
          'A pooler in transaction mode stands in between; the lock is a lease, which it cannot break.',
      }
    : {
        result: 'failed',
        message:
          "A pooler in transaction mode stands in between, where a lock on a session locks nothing: give the url of the server itself, or set lock: { kind: 'lease' }.",
      };
}

async function checkClock({ session }: RunContext): Promise<Finding> {
  const text =
    session.dialect === 'mysql'
      ? 'SELECT UNIX_TIMESTAMP(NOW(6)) * 1000 AS at'
      : 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at';
  const before = Date.now();
  const [row] = await session.query<{ at: number | string }>(text);
  const skewMs = Math.round(Number(row?.at) - (before + Date.now()) / 2);
  return Math.abs(skewMs) <= SKEW_LIMIT_MS
    ? { result: 'ok', message: 'The clocks of the server and of this machine agree.' }
    : {
        result: 'warning',
        message: `The server's clock is ${skewMs} ms off this machine's: set both by NTP.`,
      };
}

function postgresChecks({ session, history }: RunContext): readonly ServerCheck[] {
  return [
    {
      name: 'rights',
      async run() {
        const [row] = await session.query<{ there: boolean; create: boolean | null; missing: string | null }>(
          `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1) AS there,
                  (SELECT pg_catalog.has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = $1) AS "create",
                  (SELECT string_agg(r, ', ' ORDER BY place)
                     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
                          unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS rights(r, place)
                    WHERE n.nspname = $1 AND c.relname = $2 AND NOT pg_catalog.has_table_privilege(c.oid, r)) AS missing`,
          [history.schema, history.name],
        );
        const schema = session.quote(history.schema);
        const user = session.quote(history.user);
        if (row?.there === false)
          return { result: 'ok', message: `The schema ${schema} does not exist yet: \`up\` creates it.` };
        if (row?.create === false)
          return {
            result: 'failed',
            message: `${user} may not create tables in ${schema}: GRANT USAGE, CREATE ON SCHEMA ${schema} TO ${user}`,
          };
        if (row?.missing != null)
          return {
            result: 'failed',
            message: `${user} lacks ${row.missing} on ${history.table}: ${grantOnTable(session, history.table, history.user)}`,
          };
        return { result: 'ok', message: `${user} may create tables in ${schema}.` };
      },
    },
    {
      name: 'timeouts',
      async run() {
        const rows = await session.query<{ name: string; setting: string }>(
          "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('lock_timeout', 'statement_timeout')",
        );
        const of = (name: string): string => rows.find((row) => row.name === name)?.setting ?? '0';
        if (of('lock_timeout') !== '0')
          return {
            result: 'ok',
            message: `lock_timeout ${of('lock_timeout')} ms, statement_timeout ${of('statement_timeout')} ms.`,
          };
        return {
          result: 'warning',
          message:
            'lock_timeout is 0: a migration that waits for a lock makes every later query on that table wait behind it. Set lockTimeoutMs, or `-- lock-timeout: 5s` in the file.',
        };
      },
    },
  ];
}

function mysqlChecks({ session, history }: RunContext): readonly ServerCheck[] {
  return [
    {
      name: 'rights',
      async run() {
        const rows = await session.query<Record<string, string>>('SHOW GRANTS');
        const grants = rows.flatMap((row) => Object.values(row));
        const schema = session.quote(history.schema);
        // A grant on a database may be written with patterns: what names it, or everything, is read.
        const bare = history.schema.replaceAll('_', '\\_');
        const here = grants.filter((grant) =>
          [' ON *.* ', ` ON ${schema}.* `, ` ON \`${bare}\`.* `].some((on) => `${grant} `.includes(on)),
        );
        const onTable = grants.filter((grant) => `${grant} `.includes(` ON ${history.table} `));
        const missing = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'].filter(
          (right) =>
            ![...here, ...onTable].some((grant) =>
              new RegExp(`\\b(?:ALL PRIVILEGES|${right})\\b`).test(grant),
            ),
        );
        if (missing.length > 0)
          return {
            result: 'warning',
            message: `No grant gives the user ${missing.join(', ')} on ${history.table}, unless a role does: ${grantOnTable(session, history.table, undefined)}`,
          };
        if (
          here.some((grant) =>
            /\b(?:ALL PRIVILEGES|CREATE)\b(?! (?:USER|ROLE|TABLESPACE|ROUTINE|VIEW|TEMPORARY))/.test(grant),
          )
        )
          return { result: 'ok', message: `The user may create tables in ${schema}.` };
        // A role, and a grant on a pattern of names, may hold it too, and are not read.
        const mayHold = grants.some(
          (grant) => !/ ON /.test(grant) || /\bON `[^`]*[%_][^`]*`\.\*/.test(grant),
        );
        return {
          result: mayHold ? 'warning' : 'failed',
          message: `No grant lets the user create tables in ${schema}${mayHold ? ', unless a role or a pattern of names does' : ''}: GRANT ALL ON ${schema}.* TO the user`,
        };
      },
    },
    {
      name: 'sql_mode',
      async run() {
        const [row] = await session.query<{ mode: string }>('SELECT @@SESSION.sql_mode AS mode');
        return /\bSTRICT_(?:TRANS|ALL)_TABLES\b/.test(row?.mode ?? '')
          ? { result: 'ok', message: 'The mode is strict.' }
          : {
              result: 'warning',
              message:
                'sql_mode is not strict: the server changes values that do not fit. holdfast fails a migration with warnings; add STRICT_TRANS_TABLES.',
            };
      },
    },
  ];
}
