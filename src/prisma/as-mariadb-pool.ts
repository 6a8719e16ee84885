import { corePoolOf, isMysql2Pool, UnsupportedDriverError } from '../connection/index.js';
import { UnsupportedPrismaClientError } from './errors.js';

/** A connection or pool of mysql2 in callback style. */
interface Mysql2Sender {
  query(options: object, values: readonly unknown[], callback: Mysql2Callback): unknown;
  execute(options: object, values: readonly unknown[], callback: Mysql2Callback): unknown;
}

interface Mysql2Connection extends Mysql2Sender {
  on(event: string, listener: (error: Error) => void): unknown;
  off(event: string, listener: (error: Error) => void): unknown;
  release(): void;
}

interface Mysql2Pool extends Mysql2Sender {
  getConnection(callback: (error: Error | null, connection: Mysql2Connection) => void): void;
  end(callback: (error?: Error | null) => void): void;
}

type Mysql2Callback = (
  error: Error | null,
  result: object,
  fields?: readonly (Mysql2Field | readonly Mysql2Field[])[],
) => void;

/** What mysql2 tells of a column. */
interface Mysql2Field {
  readonly name: string;
  readonly columnType: number;
  readonly flags: number;
  /** The number of its collation. */
  readonly characterSet: number;
  /** What MariaDB tells of a column that is sent as another type. */
  readonly extendedFormat?: string;
}

/** A value that mysql2 is about to read. */
interface Mysql2Value {
  readonly type: string;
  readonly extendedFormat?: string;
  string(encoding: string): string | null;
}

type TypeCast = (value: Mysql2Value, next: () => unknown) => unknown;

/** What the adapter asks the connector for with a statement. Another option could change what comes back. */
const KNOWN_OPTIONS = [
  'sql',
  'rowsAsArray',
  'dateStrings',
  'typeCast',
  'autoJsonMap',
  'jsonStrings',
  'bitOneIsBoolean',
];
const MYSQL2_POOL = Symbol.for('holdfast.mysql2-pool/1');

/** The names that the connector has for MySQL's numbers of column types. */
const TYPE_NAMES: readonly string[] =
  'DECIMAL TINY SHORT INT FLOAT DOUBLE NULL TIMESTAMP BIGINT INT24 DATE TIME DATETIME YEAR NEWDATE VARCHAR BIT'.split(
    ' ',
  );
const HIGH_TYPE_NAMES: readonly string[] =
  'JSON DECIMAL ENUM SET TINY_BLOB MEDIUM_BLOB LONG_BLOB BLOB VAR_STRING STRING GEOMETRY'.split(' ');
const FIRST_HIGH_TYPE = 245;

/**
 * A pool of mysql2 behind the face of a pool of the mariadb connector, so far as `@prisma/adapter-mariadb` uses one. With
 * it Prisma runs on the pool that TypeORM made, and both write in one transaction. Throws `UnsupportedDriverError` for what
 * is no pool of `mysql2` or `mysql2/promise`.
 *
 * @example
 * ```ts
 * const pool = manageDataSource(dataSource).primary.native as Pool; // of mysql2
 * const prisma = managePrisma(new PrismaClient({ adapter: new PrismaMariaDb(asMariadbPool(pool)) }));
 * ```
 */
export function asMariadbPool<MariadbPool>(pool: object): MariadbPool {
  if (!isMysql2Pool(pool)) {
    throw new UnsupportedDriverError(
      'asMariadbPool takes a pool of mysql2 or mysql2/promise: with TypeORM asMariadbPool(manageDataSource(dataSource).primary.native). ' +
        'A pool of the mariadb connector needs no face: new PrismaMariaDb(pool).',
    );
  }
  const core = corePoolOf(pool) as Mysql2Pool;
  const face = {
    [MYSQL2_POOL]: core,
    ...senders(core),
    getConnection: () =>
      new Promise<object>((resolve, reject) =>
        core.getConnection((error, connection) => (error ? reject(error) : resolve(faceOf(connection)))),
      ),
    end: () =>
      new Promise<void>((resolve, reject) => core.end((error) => (error ? reject(error) : resolve()))),
  };
  return face as MariadbPool;
}

/** The pool itself: of mysql2, where the given one is a face of {@link asMariadbPool}. */
export function poolBehind(pool: object): object {
  return (pool as { [MYSQL2_POOL]?: object })[MYSQL2_POOL] ?? pool;
}

function faceOf(connection: Mysql2Connection): object {
  return {
    ...senders(connection),
    on: (event: string, listener: (error: Error) => void) => void connection.on(event, listener),
    off: (event: string, listener: (error: Error) => void) => void connection.off(event, listener),
    release: () => Promise.resolve(connection.release()),
  };
}

type Send = (options: { sql: string }, values?: readonly unknown[]) => Promise<object>;

function senders(mysql2: Mysql2Sender): Record<'query' | 'execute', Send> {
  const sender =
    (method: 'query' | 'execute'): Send =>
    (options, values = []) =>
      new Promise((resolve, reject) =>
        mysql2[method](mysql2Options(options), values, (error, result, fields) =>
          error ? reject(error) : resolve(withMeta(result, fields)),
        ),
      );
  return { query: sender('query'), execute: sender('execute') };
}

/** Whatever the pool was configured with: values come as the connector gives them to the adapter. */
function mysql2Options(options: { readonly sql: string; readonly typeCast?: TypeCast }): object {
  const unknown = Object.keys(options).find((name) => !KNOWN_OPTIONS.includes(name));
  if (unknown) {
    throw new UnsupportedPrismaClientError(
      `The adapter asks for "${unknown}", which asMariadbPool() does not know, so the statement was not sent. ` +
        'It was made for @prisma/adapter-mariadb 7.10: install that version.',
    );
  }
  const { sql, typeCast = (_: Mysql2Value, next: () => unknown) => next() } = options;
  return {
    sql,
    rowsAsArray: true,
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    typeCast: ((value, next) => typeCast(value, () => read(value, next))) satisfies TypeCast,
  };
}

/** Text stays text, which the pool's own options could have mysql2 parse. */
function read(value: Mysql2Value, next: () => unknown): unknown {
  if (value.type === 'JSON' || value.extendedFormat === 'json') return value.string('utf8');
  if (value.type === 'DECIMAL' || value.type === 'NEWDECIMAL') return value.string('ascii');
  return next();
}

/** The connector hangs what it knows of the columns on the rows. Of several results, those of a procedure, the first rows are answered. */
function withMeta(
  result: object,
  fields: readonly (Mysql2Field | readonly Mysql2Field[])[] | undefined,
): object {
  if (!Array.isArray(result) || !fields) return result;
  const several = fields.findIndex((each) => Array.isArray(each));
  if (several !== -1) return withMeta(result[several] as object, fields[several] as readonly Mysql2Field[]);
  const meta = (fields as readonly Mysql2Field[]).map((field) => ({
    name: () => field.name,
    type: TYPE_NAMES[field.columnType] ?? HIGH_TYPE_NAMES[field.columnType - FIRST_HIGH_TYPE],
    flags: field.flags,
    collation: { index: field.characterSet },
    dataTypeFormat: field.extendedFormat,
  }));
  return Object.defineProperty(result, 'meta', { value: meta });
}
