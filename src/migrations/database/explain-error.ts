import { messageOf } from '../../core/index.js';

/** What a database error comes down to, for whoever decides what happens next. */
export type ErrorKind =
  | 'rights'
  | 'read only'
  | 'disk full'
  | 'lock timeout'
  | 'statement timeout'
  | 'deadlock'
  | 'too many connections'
  | 'shutdown'
  | 'exists'
  | 'missing'
  | 'constraint'
  | 'syntax'
  | 'too large'
  | 'connection lost'
  | 'other';

export interface ErrorExplanation {
  readonly kind: ErrorKind;
  /** SQLSTATE of PostgreSQL, number of MySQL; absent for an error that no server sent. */
  readonly code: string | undefined;
  /** What the server said, and the next step: for a person. */
  readonly sentence: string;
  /** Whether the same statement may succeed when it is tried again. */
  readonly retryable: boolean;
}

/**
 * By SQLSTATE and by MySQL's number, which has no five characters: what it comes down to, and the next step.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html, https://mariadb.com/kb/en/mariadb-error-code-reference/
 */
const EXPLAINED: readonly (readonly [kind: ErrorKind, codes: string, next: string])[] = [
  [
    'rights',
    '42501 1044 1095 1142 1143 1227 1370 1419',
    'Grant the right to the database user, or migrate as its owner.',
  ],
  ['read only', '25006 1290 1792 1836 3906', 'This server only reads. Give the url of the primary.'],
  [
    'disk full',
    '53100 1021 1114 3',
    'Make room on the disk of the database server (or in the tablespace), then run again.',
  ],
  [
    'lock timeout',
    '55P03 1205 3572',
    'Another session holds a lock on what this changes. Run again when it is done, or give more time: -- lock-timeout: 30s',
  ],
  [
    'statement timeout',
    '57014 1969 3024 1317',
    'It took longer than the statement timeout allows, or somebody cancelled it. Give more time in the file: -- statement-timeout: 10min',
  ],
  ['deadlock', '40P01 40001 1213 1020', 'Run again: another session was in the way at that moment.'],
  [
    'too many connections',
    '53300 1040 1203 1226',
    'Run again when connections are free, raise the limit of the server, or lower the pools of the applications.',
  ],
  [
    'shutdown',
    '57P01 57P02 57P03 1053 1927 3169',
    'The server, or an administrator, ended the session. Run again when the server is up.',
  ],
  [
    'exists',
    '42P04 42P06 42P07 42701 42710 42723 1007 1050 1060 1061 1304',
    'It is in the database already: something outside of the migrations made it, or an earlier run did.',
  ],
  [
    'missing',
    '42P01 42703 42704 42883 3F000',
    'It is not in this database: check the name, the schema (search_path) and the order of the migrations.',
  ],
  [
    'missing',
    '1049 1051 1054 1091 1146 1305',
    'It is not in this database: check the name, the database (USE) and the order of the migrations.',
  ],
  [
    'constraint',
    '23502 1048 1364',
    'Give the column a value in the statement, or a DEFAULT; where rows of the table have none, fill them in the migration first.',
  ],
  [
    'constraint',
    '23505 23P01 1062',
    'Another row has this key already: in the table, or in what the statement writes. Remove or change one of them in the migration first.',
  ],
  [
    'constraint',
    '23503 1451 1452',
    'A row refers to one that is not there, or the one to be removed is still referred to: write, correct or remove the referring rows first.',
  ],
  [
    'constraint',
    '23514 3819 4025',
    'A row fails the check: correct what the statement writes, or, where it is in the table already, that row in the migration first.',
  ],
  ['syntax', '42601 1064 1149', 'Correct the statement.'],
  ['too large', '1153 54000', 'Split the statement, or raise max_allowed_packet of the server.'],
];

const BY_CODE = new Map(
  EXPLAINED.flatMap(([kind, codes, next]) => codes.split(' ').map((code) => [code, { kind, next }] as const)),
);

const RETRYABLE: ReadonlySet<ErrorKind> = new Set([
  'lock timeout',
  'deadlock',
  'too many connections',
  'shutdown',
]);

/** What PgBouncer says to BEGIN in statement mode. */
const STATEMENT_POOLING = /statement pooling mode/;
const NO_TRANSACTIONS =
  'A pooler in statement mode stands in between, which takes no transaction: give the url of the server itself, or of a pool in session mode.';

/** unique_violation, ER_DUP_ENTRY. */
const DUPLICATE_KEY: ReadonlySet<string | undefined> = new Set(['23505', '1062']);

/** Whether a row was refused for a key that another one has. */
export function isDuplicateKey(error: unknown): boolean {
  return DUPLICATE_KEY.has(databaseCodeOf(error));
}

/** The server's own code of a driver's error. */
export function databaseCodeOf(error: unknown): string | undefined {
  const { errno, code, severity } = (error ?? {}) as { errno?: unknown; code?: unknown; severity?: unknown };
  if (typeof severity === 'string' && typeof code === 'string') return code;
  // The numbers of the operating system are negative, those of the mariadb connector itself begin at 45000.
  return typeof errno === 'number' && errno > 0 && errno < 45_000 ? String(errno) : undefined;
}

/** What is known beside the error itself. */
export interface ErrorContext {
  /** Whether the connection is gone. */
  readonly isLost?: boolean;
  /** In place of the driver's message. */
  readonly message?: string;
}

/** What a driver's error means in a deploy. The sentence holds no parameter values: the drivers' additions are left out. */
export function explainDatabaseError(error: unknown, context: ErrorContext = {}): ErrorExplanation {
  const { isLost = false, message = messageOf(error) } = context;
  const code = databaseCodeOf(error);
  // It ends the connection with it, but of what it refused nothing was run.
  if (STATEMENT_POOLING.test(message))
    return { kind: 'other', code, sentence: `${withStop(message)} ${NO_TRANSACTIONS}`, retryable: false };
  const explained = code === undefined ? undefined : BY_CODE.get(code);
  if (isLost && explained?.kind !== 'shutdown') {
    return {
      kind: 'connection lost',
      code,
      sentence: `The connection was lost: ${withStop(message)} Nobody can say whether the statement took effect.`,
      retryable: false,
    };
  }
  const label = code === undefined ? '' : ` [${code}]${namesOf(error, message)}${lineOfCopy(error)}`;
  return {
    kind: explained?.kind ?? 'other',
    code,
    sentence: `${withStop(message + label)}${hintOf(error)}${explained ? ` ${explained.next}` : ''}`,
    retryable: explained !== undefined && RETRYABLE.has(explained.kind),
  };
}

/**
 * What PostgreSQL says an error is about beside its message: names, and of its DETAIL the columns of the key alone, for
 * the rest of it is values. What a function raised may have anything in these fields.
 */
function namesOf(error: unknown, message: string): string {
  const of = error as Partial<
    Record<'schema' | 'table' | 'column' | 'constraint' | 'detail' | 'routine', string>
  >;
  if (typeof of.table !== 'string' || of.routine === 'exec_stmt_raise' || of.routine === 'PLy_output')
    return '';
  const [, columns] = /^Key \((.+?)\)=\(/.exec(of.detail ?? '') ?? [];
  const names = [
    `table ${of.schema ? `${of.schema}.` : ''}${of.table}`,
    of.column && `column ${of.column}`,
    columns && `key (${columns})`,
    of.constraint && !message.includes(`"${of.constraint}"`) && `constraint ${of.constraint}`,
  ];
  return ` (${names.filter(Boolean).join(', ')})`;
}

/** PostgreSQL's advice, or that of whoever raised the error: `RAISE … USING HINT = …`. */
function hintOf(error: unknown): string {
  const { hint } = error as { hint?: unknown };
  return typeof hint === 'string' && hint !== '' ? ` Hint: ${withStop(hint)}` : '';
}

/** Where in the data of COPY, without the data: `(COPY item, line 17, column price)`. */
function lineOfCopy(error: unknown): string {
  const { where } = error as { where?: unknown };
  const [place] =
    (typeof where === 'string' && /^COPY [^,:]+, line \d+(?:, column [^,:]+)?/m.exec(where)) || [];
  return place === undefined ? '' : ` (${place})`;
}

function withStop(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
