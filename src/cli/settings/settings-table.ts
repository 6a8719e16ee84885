import { assignment, durationMs, flag, list, oneOf, text, type TextReader } from './read-text.js';

/** An option of `createMigrator()` that the command line and the environment can set. */
export interface Setting {
  /** Its path in the configuration file. */
  readonly path: string;
  /** Its flag, in commander's notation. */
  readonly flag: string;
  /** Its environment variables, the strongest first. */
  readonly env: readonly string[];
  readonly read: TextReader;
  /** Whether the flag can be given several times. */
  readonly repeatable?: true;
  /** A line of `--help`. */
  readonly summary: string;
}

export const ENV_PREFIX = 'HOLDFAST_';
/** `HOLDFAST_PLACEHOLDER_tenant=acme`: what follows is the placeholder's name. */
export const PLACEHOLDER_PREFIX = `${ENV_PREFIX}PLACEHOLDER_`;
/** The configuration file, as `--config`. */
export const CONFIG_VARIABLE = `${ENV_PREFIX}CONFIG`;

/** The password of an application's status page, which `pool top` sends as a bearer token: not in the list of processes. */
export const APP_PASSWORD_VARIABLE = `${ENV_PREFIX}APP_PASSWORD`;

/** Everything that can be set from outside the configuration file. The table in docs/migrations.md is this one. */
export const SETTINGS: readonly Setting[] = [
  {
    path: 'url',
    flag: '--url <url>',
    env: ['HOLDFAST_URL', 'DATABASE_URL'],
    read: text,
    summary: 'the database; other users of this machine can read it in the list of processes',
  },
  {
    path: 'urlFile',
    flag: '--url-file <file>',
    env: ['HOLDFAST_URL_FILE', 'DATABASE_URL_FILE'],
    read: text,
    summary: 'a file that holds the url of the database',
  },
  {
    path: 'driver',
    flag: '--driver <driver>',
    env: ['HOLDFAST_DRIVER'],
    read: oneOf('pg', 'mysql2', 'mariadb'),
    summary: 'pg, mysql2 or mariadb',
  },
  {
    path: 'directories',
    flag: '--directory <folder>',
    env: ['HOLDFAST_DIRECTORIES'],
    read: list,
    repeatable: true,
    summary: 'where migrations are; can be repeated (default: migrations)',
  },
  {
    path: 'recursive',
    flag: '--no-recursive',
    env: ['HOLDFAST_RECURSIVE'],
    read: flag,
    summary: 'do not look into folders inside them',
  },
  {
    path: 'history.format',
    flag: '--history <format>',
    env: ['HOLDFAST_HISTORY'],
    read: oneOf('holdfast', 'flyway', 'prisma'),
    summary: 'whose table keeps what was applied: holdfast, flyway or prisma',
  },
  {
    path: 'history.table',
    flag: '--history-table <name>',
    env: ['HOLDFAST_HISTORY_TABLE'],
    read: text,
    summary: 'the name of that table',
  },
  {
    path: 'history.schema',
    flag: '--history-schema <name>',
    env: ['HOLDFAST_HISTORY_SCHEMA'],
    read: text,
    summary: 'the schema of that table',
  },
  {
    path: 'schema',
    flag: '--schema <name>',
    env: ['HOLDFAST_SCHEMA'],
    read: text,
    summary: 'the schema in front of the search path (PostgreSQL)',
  },
  {
    path: 'placeholders',
    flag: '--placeholder <name=value>',
    env: [],
    read: assignment,
    repeatable: true,
    summary: 'a value for ${name} in SQL files; can be repeated',
  },
  {
    path: 'outOfOrder',
    flag: '--out-of-order',
    env: ['HOLDFAST_OUT_OF_ORDER'],
    read: flag,
    summary: 'let versions below an applied one run',
  },
  {
    path: 'lock.kind',
    flag: '--lock <kind>',
    env: ['HOLDFAST_LOCK'],
    read: oneOf('session', 'lease'),
    summary: 'session or lease (for poolers and Galera)',
  },
  {
    path: 'lock.waitMs',
    flag: '--lock-wait <duration>',
    env: ['HOLDFAST_LOCK_WAIT'],
    read: durationMs,
    summary: 'how long to wait for another deployer (default: 5m)',
  },
  {
    path: 'lock.leaseMs',
    flag: '--lock-lease <duration>',
    env: ['HOLDFAST_LOCK_LEASE'],
    read: durationMs,
    summary: 'how long a lease lives without a heartbeat (default: 30s)',
  },
  {
    path: 'lockTimeoutMs',
    flag: '--lock-timeout <duration>',
    env: ['HOLDFAST_LOCK_TIMEOUT'],
    read: durationMs,
    summary: "how long a statement may wait for a table's lock (default: the server's)",
  },
  {
    path: 'statementTimeoutMs',
    flag: '--statement-timeout <duration>',
    env: ['HOLDFAST_STATEMENT_TIMEOUT'],
    read: durationMs,
    summary: "how long a statement may run (default: the server's)",
  },
  {
    path: 'allowWarnings',
    flag: '--allow-warning <code>',
    env: ['HOLDFAST_ALLOW_WARNINGS'],
    read: list,
    repeatable: true,
    summary: "a warning of MySQL's that fails nothing; can be repeated",
  },
  {
    path: 'installedBy',
    flag: '--installed-by <name>',
    env: ['HOLDFAST_INSTALLED_BY'],
    read: text,
    summary: 'who is written into the history (default: the database user)',
  },
];
