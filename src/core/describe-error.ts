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

/** What goes wrong in a running application, in PostgreSQL's own words: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CONDITIONS: ReadonlyMap<string, string> = new Map([
  ['22001', 'string_data_right_truncation'],
  ['22003', 'numeric_value_out_of_range'],
  ['22007', 'invalid_datetime_format'],
  ['22008', 'datetime_field_overflow'],
  ['22012', 'division_by_zero'],
  ['22P02', 'invalid_text_representation'],
  ['23502', 'not_null_violation'],
  ['23503', 'foreign_key_violation'],
  ['23505', 'unique_violation'],
  ['23514', 'check_violation'],
  ['23P01', 'exclusion_violation'],
  ['25006', 'read_only_sql_transaction'],
  ['25P02', 'in_failed_sql_transaction'],
  ['40001', 'serialization_failure'],
  ['40P01', 'deadlock_detected'],
  ['42501', 'insufficient_privilege'],
  ['42601', 'syntax_error'],
  ['42703', 'undefined_column'],
  ['42883', 'undefined_function'],
  ['42P01', 'undefined_table'],
  ['53300', 'too_many_connections'],
  ['55P03', 'lock_not_available'],
  ['57014', 'query_canceled'],
  ['57P01', 'admin_shutdown'],
  ['P0001', 'raise_exception'],
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
