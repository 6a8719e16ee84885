import { codeOf, errorChain, type ErrorLink, memberOf } from './error-chain.js';

/** What may be logged of an error. */
export interface ErrorDescription {
  /** The name of its class. */
  readonly name: string;
  /** Its SQLSTATE, or what a driver, an ORM or the application calls it. */
  readonly code?: string;
  readonly message: string;
  /** What a database error is about; not of one that a function of the database raised. */
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
  /** Name, the message above, and the frames. */
  readonly stack?: string;
  /** What led to it, nearest first. */
  readonly causes?: readonly ErrorDescription[];
}

/**
 * What goes wrong in a running application, in PostgreSQL's own words
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html), and MySQL's for the numbers that Prisma hands on.
 */
const CONDITIONS: ReadonlyMap<string, string> = new Map([
  ['08000', 'connection_exception'],
  ['08001', 'sqlclient_unable_to_establish_sqlconnection'],
  ['08003', 'connection_does_not_exist'],
  ['08004', 'sqlserver_rejected_establishment_of_sqlconnection'],
  ['08006', 'connection_failure'],
  ['08P01', 'protocol_violation'],
  ['0A000', 'feature_not_supported'],
  ['21000', 'cardinality_violation'],
  ['22001', 'string_data_right_truncation'],
  ['22003', 'numeric_value_out_of_range'],
  ['22007', 'invalid_datetime_format'],
  ['22008', 'datetime_field_overflow'],
  ['22012', 'division_by_zero'],
  ['22021', 'character_not_in_repertoire'],
  ['22023', 'invalid_parameter_value'],
  ['22P02', 'invalid_text_representation'],
  ['23001', 'restrict_violation'],
  ['23502', 'not_null_violation'],
  ['23503', 'foreign_key_violation'],
  ['23505', 'unique_violation'],
  ['23514', 'check_violation'],
  ['23P01', 'exclusion_violation'],
  ['25001', 'active_sql_transaction'],
  ['25006', 'read_only_sql_transaction'],
  ['25P01', 'no_active_sql_transaction'],
  ['25P02', 'in_failed_sql_transaction'],
  ['25P03', 'idle_in_transaction_session_timeout'],
  ['25P04', 'transaction_timeout'],
  ['28000', 'invalid_authorization_specification'],
  ['28P01', 'invalid_password'],
  ['3D000', 'invalid_catalog_name'],
  ['3F000', 'invalid_schema_name'],
  ['40001', 'serialization_failure'],
  ['40P01', 'deadlock_detected'],
  ['42501', 'insufficient_privilege'],
  ['42601', 'syntax_error'],
  ['42702', 'ambiguous_column'],
  ['42703', 'undefined_column'],
  ['42704', 'undefined_object'],
  ['42804', 'datatype_mismatch'],
  ['42883', 'undefined_function'],
  ['42P01', 'undefined_table'],
  ['42P07', 'duplicate_table'],
  ['42P10', 'invalid_column_reference'],
  ['53000', 'insufficient_resources'],
  ['53100', 'disk_full'],
  ['53200', 'out_of_memory'],
  ['53300', 'too_many_connections'],
  ['53400', 'configuration_limit_exceeded'],
  ['54000', 'program_limit_exceeded'],
  ['54001', 'statement_too_complex'],
  ['55000', 'object_not_in_prerequisite_state'],
  ['55006', 'object_in_use'],
  ['55P03', 'lock_not_available'],
  ['57014', 'query_canceled'],
  ['57P01', 'admin_shutdown'],
  ['57P02', 'crash_shutdown'],
  ['57P03', 'cannot_connect_now'],
  ['57P04', 'database_dropped'],
  ['57P05', 'idle_session_timeout'],
  ['58000', 'system_error'],
  ['58030', 'io_error'],
  ['58P01', 'undefined_file'],
  ['P0001', 'raise_exception'],
  ['XX000', 'internal_error'],
  ['XX001', 'data_corrupted'],
  ['XX002', 'index_corrupted'],
  ['1040', 'ER_CON_COUNT_ERROR'],
  ['1045', 'ER_ACCESS_DENIED_ERROR'],
  ['1048', 'ER_BAD_NULL_ERROR'],
  ['1054', 'ER_BAD_FIELD_ERROR'],
  ['1062', 'ER_DUP_ENTRY'],
  ['1064', 'ER_PARSE_ERROR'],
  ['1146', 'ER_NO_SUCH_TABLE'],
  ['1205', 'ER_LOCK_WAIT_TIMEOUT'],
  ['1213', 'ER_LOCK_DEADLOCK'],
  ['1264', 'ER_WARN_DATA_OUT_OF_RANGE'],
  ['1290', 'ER_OPTION_PREVENTS_STATEMENT'],
  ['1406', 'ER_DATA_TOO_LONG'],
  ['1451', 'ER_ROW_IS_REFERENCED_2'],
  ['1452', 'ER_NO_REFERENCED_ROW_2'],
  ['1792', 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'],
]);

/**
 * What may be logged of anything that was thrown: names, codes and places, never the value of a SQL parameter.
 *
 * An application's own message is kept, for it is what a reader needs most. That of a database, a query builder or an
 * ORM is not, nor where another error quotes it: PostgreSQL's holds values (`invalid input syntax for type integer:
 * "…"`), and query builders add their parameters to it. PostgreSQL's name for the SQLSTATE takes its place. What else
 * hangs on an error (`parameters`, `detail`, `meta`) is left out. Never throws.
 */
export function describeError(thrown: unknown): ErrorDescription {
  const chain = errorChain(thrown);
  // TypeORM's error says all that the driver's inside it does.
  const repeated = new Set(chain.filter(isAnswer).map((link) => memberOf(link, 'driverError')));
  const [error, ...causes] = chain.flatMap((link, index) =>
    repeated.has(link) ? [] : describe(link, chain.slice(index + 1)),
  );
  if (!error) return { name: typeof thrown, message: String(thrown) };
  return causes.length > 0 ? { ...error, causes } : error;
}

/** One link; `behind` are those that led to it. */
function describe(error: ErrorLink, behind: readonly ErrorLink[]): ErrorDescription {
  const name = nameOf(error);
  const message = messageFor(error, behind);
  const found = {
    code: codeOf(error),
    ...(!isRaised(error) && {
      schema: textOf(error, 'schema'),
      table: textOf(error, 'table'),
      column: textOf(error, 'column'),
      constraint: constraintOf(error),
    }),
    stack: stackOf(error, `${name}: ${message}`),
  };
  const present = Object.entries(found).filter(([, value]) => value !== undefined);
  return { name, message, ...Object.fromEntries(present) };
}

/** For most errors 'Error' or 'error' is all that `name` says. */
function nameOf(error: ErrorLink): string {
  const own = textOf(error, 'name') ?? textOf(error, 'kind');
  const ofClass = textOf(memberOf(error, 'constructor'), 'name');
  return (own && !/^error$/i.test(own) ? own : (ofClass ?? own)) ?? 'an object';
}

function messageFor(error: ErrorLink, behind: readonly ErrorLink[]): string {
  if (isOfDatabase(error)) return conditionOf(error);
  let message = ownMessage(error) ?? 'it has no message';
  for (const link of behind.filter(isOfDatabase)) {
    const quoted = ownMessage(link);
    if (quoted) message = message.replaceAll(quoted, conditionOf(link));
  }
  return message;
}

function conditionOf(error: ErrorLink): string {
  return CONDITIONS.get(codeOf(error) ?? '') ?? '(the message is not logged, for it may hold values)';
}

function ownMessage(error: ErrorLink): string | undefined {
  return textOf(error, 'message') ?? textOf(error, 'originalMessage');
}

/** Whether a database, a query builder or an ORM worded it. */
function isOfDatabase(error: ErrorLink): boolean {
  return isAnswer(error) || carriesStatement(error) || isPrismas(error) || isTypeorms(error);
}

/** What a server answered, as `pg` hands it on and others copy it. */
function isAnswer(error: ErrorLink): boolean {
  return textOf(error, 'severity') !== undefined && /^[0-9A-Z]{5}$/.test(codeOf(error) ?? '');
}

/** By `RAISE` of PL/pgSQL or `plpy.error`, whose USING fills the names of columns and tables with any value. */
function isRaised(error: ErrorLink): boolean {
  return ['exec_stmt_raise', 'PLy_output'].includes(textOf(error, 'routine') ?? '');
}

function carriesStatement(error: ErrorLink): boolean {
  const has = (...keys: string[]): boolean => keys.some((key) => memberOf(error, key) !== undefined);
  return has('sql', 'sqlMessage', 'nativeError') || (has('query') && has('parameters', 'params'));
}

function isPrismas(error: ErrorLink): boolean {
  return textOf(error, 'clientVersion') !== undefined || textOf(error, 'originalMessage') !== undefined;
}

/** Its errors quote what they were called with: EntityNotFoundError prints the criteria. */
function isTypeorms(error: ErrorLink): boolean {
  for (
    let type = memberOf(error, 'constructor');
    typeof type === 'function';
    type = Object.getPrototypeOf(type)
  )
    if (type.name === 'TypeORMError') return true;
  return false;
}

/** Prisma's is an object of the index or the fields. */
function constraintOf(error: ErrorLink): string | undefined {
  const constraint = memberOf(error, 'constraint');
  if (typeof constraint === 'string') return constraint;
  const fields = memberOf(constraint, 'fields');
  return textOf(constraint, 'index') ?? (Array.isArray(fields) ? fields.join(', ') : undefined);
}

/** The frames under another first line: that of the error holds its message, of one line or many. */
function stackOf(error: ErrorLink, firstLine: string): string | undefined {
  const stack = textOf(error, 'stack');
  if (stack === undefined) return undefined;
  const message = textOf(error, 'message') ?? '';
  const end = message === '' ? -1 : stack.indexOf(message);
  const frames = stack.slice(end === -1 ? 0 : end + message.length).match(/^ {4}at .*$/gm) ?? [];
  return [firstLine, ...frames].join('\n');
}

function textOf(owner: unknown, key: string): string | undefined {
  const value = memberOf(owner, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
