import {
  type Clock,
  invalid,
  InvalidOptionsError,
  optional,
  readBoolean,
  readClock,
  readDurationMs,
  readFunction,
  readInteger,
  readOneOf,
  readOptions,
  readString,
  type Reader,
  systemClock,
  withDefault,
} from '../core/index.js';
import type { MigrationListener } from './events.js';
import type { HistoryFormat } from './history/history.js';

/** What `createMigrator()` and a configuration file take. */
export interface MigratorOptions {
  /** `postgres://…`, `mysql://…` or `mariadb://…`. One of `url`, `urlFile` and `pool` is needed. */
  url?: string;
  /** A file that holds the url, as a mounted secret does; read once, white space around it is cut off. */
  urlFile?: string;
  /** A pool of `pg`, `mysql2` or `mariadb` that the application has; one of its connections is borrowed for the run. */
  pool?: object;
  /** How long `pool` may take to lend a connection, in milliseconds. Default: 60,000. */
  acquireTimeoutMs?: number;
  /** Which driver opens `url`. Default: `pg`; `mariadb` where it is installed, else `mysql2`. */
  driver?: 'pg' | 'mysql2' | 'mariadb';
  /** Where migrations are, relative to `cwd`. Default: `['migrations']`. */
  directories?: readonly string[];
  /** Default: the working directory. */
  cwd?: string;
  /** Whether folders inside them are looked at. Default: true. */
  recursive?: boolean;
  /** Which table keeps what was applied. Default: `holdfast`, `holdfast_schema_history`. */
  history?: HistoryFormat | HistoryOptions;
  /** The schema (PostgreSQL) that is put in front of the search path, and that the history is in. Default: the connection's. */
  schema?: string;
  /** `${name}` in a SQL file -> value. Only declared ones are replaced. */
  placeholders?: Readonly<Record<string, string>>;
  /** Whether a version below an applied one may run. Default: false, it is refused. */
  outOfOrder?: boolean;
  lock?: LockOptions;
  /** `lock_timeout` / `lock_wait_timeout` of each migration, in milliseconds, unless its file says. Default: the server's. */
  lockTimeoutMs?: number;
  /** `statement_timeout` / `max_statement_time` of each migration, in milliseconds, unless its file says. Default: the server's. */
  statementTimeoutMs?: number;
  /** MySQL's warning numbers that do not fail a migration. Default: none. */
  allowWarnings?: readonly (string | number)[];
  /** Who is written into the history. Default: the database user. */
  installedBy?: string;
  /** Told of everything that happens; what it throws is logged and ignored. */
  onEvent?: MigrationListener;
  /** Where waiting takes its time from. Default: the system's clock. */
  clock?: Clock;
}

/** Which table keeps what was applied, where it is not named as usual. */
export interface HistoryOptions {
  /** Default: `holdfast`. */
  format?: HistoryFormat;
  /** Default: `holdfast_schema_history`, `flyway_schema_history`, `_prisma_migrations`. */
  table?: string;
  /** Default: `schema` of the migrator. */
  schema?: string;
}

/** How two deployers are kept apart. */
export interface LockOptions {
  /**
   * `session`: an advisory lock of PostgreSQL, GET_LOCK of MySQL. `lease`: a row with heartbeat and fencing token, for
   * poolers in transaction mode and Galera. Default: `session`, and `lease` on a Galera node.
   */
  kind?: 'session' | 'lease';
  /** How long to wait for another deployer, in milliseconds; 0: not at all. Default: 300,000. */
  waitMs?: number;
  /** How long a lease lives without a heartbeat, in milliseconds. Default: 30,000. */
  leaseMs?: number;
}

/** {@link HistoryOptions}, read and filled in. */
export interface ParsedHistoryOptions {
  readonly format: HistoryFormat;
  readonly table: string;
  readonly schema: string | undefined;
}

/** {@link MigratorOptions}, read and filled in. */
export interface ParsedMigratorOptions {
  readonly url: string | undefined;
  readonly urlFile: string | undefined;
  readonly pool: object | undefined;
  readonly acquireTimeoutMs: number;
  readonly driver: 'pg' | 'mysql2' | 'mariadb' | undefined;
  readonly directories: readonly string[];
  readonly cwd: string;
  readonly recursive: boolean;
  readonly history: ParsedHistoryOptions;
  readonly schema: string | undefined;
  readonly placeholders: Readonly<Record<string, string>>;
  readonly outOfOrder: boolean;
  readonly lock: {
    readonly kind: 'session' | 'lease' | undefined;
    readonly waitMs: number;
    readonly leaseMs: number;
  };
  readonly lockTimeoutMs: number | undefined;
  readonly statementTimeoutMs: number | undefined;
  readonly allowWarnings: ReadonlySet<string>;
  readonly installedBy: string | undefined;
  readonly onEvent: MigrationListener;
  readonly clock: Clock;
}

/** Whose table the history can be. */
export const HISTORY_FORMATS = ['holdfast', 'flyway', 'prisma'] as const satisfies readonly HistoryFormat[];

const HISTORY_TABLES: Readonly<Record<HistoryFormat, string>> = {
  holdfast: 'holdfast_schema_history',
  flyway: 'flyway_schema_history',
  prisma: '_prisma_migrations',
};

const readStrings: Reader<readonly string[]> = (value, path) => {
  if (!Array.isArray(value) || value.length === 0)
    throw invalid(path, value, 'an array of non-empty strings');
  return value.map((each, index) => readString(each, `${path}[${index}]`));
};

const readPlaceholders: Reader<Readonly<Record<string, string>>> = (value, path) => {
  if (Object.prototype.toString.call(value) !== '[object Object]')
    throw invalid(path, value, 'an object of strings');
  for (const [name, text] of Object.entries(value as object))
    if (typeof text !== 'string') throw invalid(`${path}.${name}`, text, 'a string');
  return value as Record<string, string>;
};

const readWarnings: Reader<ReadonlySet<string>> = (value, path) => {
  if (!Array.isArray(value) || !value.every((code) => /^\d+$/.test(String(code))))
    throw invalid(path, value, "an array of MySQL's warning numbers");
  return new Set(value.map(String));
};

const readPool: Reader<object> = (value, path) => {
  if (typeof value !== 'object' || value === null)
    throw invalid(path, value, 'a pool of pg, mysql2 or mariadb');
  return value;
};

const readHistory: Reader<ParsedHistoryOptions> = (value, path) => {
  const raw = typeof value === 'string' ? { format: readOneOf(HISTORY_FORMATS)(value, path) } : value;
  const read = readOptions<{
    format: HistoryFormat;
    table: string | undefined;
    schema: string | undefined;
  }>(
    raw,
    {
      format: withDefault(readOneOf(HISTORY_FORMATS), 'holdfast'),
      table: optional(readString),
      schema: optional(readString),
    },
    path,
  );
  return { ...read, table: read.table ?? HISTORY_TABLES[read.format] };
};

/** A url in the place of its file would be shown as the path that cannot be read, with the password in it. */
const readPathOfUrl: Reader<string> = (value, path) => {
  const text = readString(value, path);
  if (!/^\s*[a-z][\w+.-]*:\/\//i.test(text)) return text;
  throw new InvalidOptionsError(
    `${path} must be the path of a file that holds the url, but is a url itself (it is not shown, for it may hold a password). Write it into a file and give the path of that (--url-file, DATABASE_URL_FILE), or give it as the url (url, DATABASE_URL).`,
  );
};

const readLock: Reader<ParsedMigratorOptions['lock']> = (value, path) =>
  readOptions(
    value,
    {
      kind: optional(readOneOf(['session', 'lease'])),
      waitMs: withDefault(readInteger(0, 2_147_483_647), 300_000),
      leaseMs: withDefault(readInteger(1000, 2_147_483_647), 30_000),
    },
    path,
  );

/**
 * Reads the options of a migrator, as `createMigrator()` does, without connecting to anything: to check what a
 * configuration holds. `path` names them in messages. Throws `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const { directories } = readMigratorOptions({ history: 'flyway' }, 'my options'); // ['migrations']
 * ```
 */
export function readMigratorOptions(raw: unknown, path = 'createMigrator(options)'): ParsedMigratorOptions {
  const read = readOptions<ParsedMigratorOptions>(
    raw,
    {
      url: optional(readString),
      urlFile: optional(readPathOfUrl),
      pool: optional(readPool),
      acquireTimeoutMs: withDefault(readDurationMs, 60_000),
      driver: optional(readOneOf(['pg', 'mysql2', 'mariadb'])),
      directories: withDefault(readStrings, ['migrations']),
      cwd: withDefault(readString, process.cwd()),
      recursive: withDefault(readBoolean, true),
      history: readHistory,
      schema: optional(readString),
      placeholders: withDefault(readPlaceholders, {}),
      outOfOrder: withDefault(readBoolean, false),
      lock: readLock,
      lockTimeoutMs: optional(readDurationMs),
      statementTimeoutMs: optional(readDurationMs),
      allowWarnings: withDefault(readWarnings, new Set()),
      installedBy: optional(readString),
      onEvent: withDefault(readFunction<MigrationListener>(), () => {}),
      clock: withDefault(readClock, systemClock),
    },
    path,
  );
  return { ...read, history: { ...read.history, schema: read.history.schema ?? read.schema } };
}
