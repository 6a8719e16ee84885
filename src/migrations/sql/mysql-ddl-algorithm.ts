import { messageOf } from '../../core/index.js';
import { databaseCodeOf } from '../database/explain-error.js';
import type { MigrationSession } from '../database/session.js';
import type { SentStatement } from './landed.js';
import { readMysqlCommand } from './mysql-command.js';
import { nameOf } from './mysql-definitions.js';
import { MysqlWords } from './mysql-words.js';

/** How the server would change a table. NOCOPY is MariaDB's INPLACE that does not rebuild it. */
export type DdlAlgorithm = 'INSTANT' | 'NOCOPY' | 'INPLACE' | 'COPY';

/** What the server would let others do meanwhile: read and write, read, nothing. */
export type DdlLock = 'NONE' | 'SHARED' | 'EXCLUSIVE';

export interface DdlVerdict {
  /** Undefined where it changes no table that is there, and where nobody can tell. */
  readonly algorithm?: DdlAlgorithm;
  readonly lock?: DdlLock;
  /** `tried`: the server accepted it on an empty copy of the table. `documented`: what the manual says of such statements. */
  readonly source: 'tried' | 'documented' | 'none';
  /** What has to be known beside it; why there is no algorithm. */
  readonly note?: string;
  /** The server would not take it. */
  readonly refused?: boolean;
}

interface Attempt {
  readonly algorithm: DdlAlgorithm;
  readonly lock?: DdlLock;
}

/** From the one that disturbs least to the one that always works: the first that the server accepts is what it takes. */
const ATTEMPTS: readonly Attempt[] = [
  { algorithm: 'INSTANT' },
  { algorithm: 'NOCOPY', lock: 'NONE' },
  { algorithm: 'NOCOPY', lock: 'SHARED' },
  { algorithm: 'INPLACE', lock: 'NONE' },
  { algorithm: 'INPLACE', lock: 'SHARED' },
  { algorithm: 'INPLACE', lock: 'EXCLUSIVE' },
  { algorithm: 'COPY', lock: 'NONE' },
  { algorithm: 'COPY', lock: 'SHARED' },
  { algorithm: 'COPY', lock: 'EXCLUSIVE' },
];

const SYNTAX_ERROR = '1064';
/** Not with this ALGORITHM or LOCK, for which 1846 has a reason; not supported; an ALGORITHM that the server does not know. */
const REFUSED: ReadonlySet<string | undefined> = new Set(['1845', '1846', '1235', '1800']);
const ABSENT: ReadonlySet<string | undefined> = new Set(['1146', '1049']);

/** What would reach other tables than the copy. */
const REACHES_OTHERS =
  /\b(?:EXCHANGE\s+PARTITION|CONVERT\s+(?:TABLE|PARTITION)|(?:DISCARD|IMPORT)\s+\S*\s*TABLESPACE)\b/i;
const FOREIGN_KEY = /\b(?:FOREIGN\s+KEY|REFERENCES)\b/i;
const NAMES_ALGORITHM = /\bALGORITHM\s*=?\s*(?:DEFAULT|INSTANT|NOCOPY|INPLACE|COPY)\b/i;

/**
 * Says how the server would carry out a statement, without touching the table: the server is asked to carry it out on
 * an empty table that is made like it, with one ALGORITHM after the other, and refuses those that it cannot take
 * (errors 1845 and 1846). That table stands in the same schema for as long as that takes, and is dropped.
 *
 * Foreign keys and partitions that move to other tables are not part of that copy: for these the manual is quoted.
 *
 * @example
 * ```ts
 * await judgeMysqlDdl(session, { statement, traits }); // { algorithm: 'INSTANT', source: 'tried' }
 * ```
 */
export async function judgeMysqlDdl(session: MigrationSession, sent: SentStatement): Promise<DdlVerdict> {
  const { command, targets } = sent.traits;
  const table = targets[0];
  switch (command) {
    case 'RENAME TABLE':
    case 'RENAME TABLES':
      return { algorithm: 'INSTANT', source: 'documented' };
    case 'TRUNCATE TABLE':
      return { algorithm: 'INSTANT', lock: 'EXCLUSIVE', source: 'documented', note: 'all rows go' };
    case 'OPTIMIZE TABLE':
      return { algorithm: 'INPLACE', lock: 'NONE', source: 'documented', note: 'the table is rebuilt' };
  }
  const isIndex = table?.kind === 'index' && table.table !== undefined;
  if (table === undefined || !(command === 'ALTER TABLE' || isIndex)) return { source: 'none' };
  return judgeByManual(session, sent) ?? tryOnCopy(session, sent);
}

/** The verdict for people: `INPLACE, others read and write meanwhile`. Empty where no table is changed. */
export function describeVerdict({ algorithm, lock, source, note }: DdlVerdict): string {
  const parts = [
    algorithm === 'NOCOPY' ? 'INPLACE (NOCOPY)' : (algorithm ?? ''),
    lock === undefined ? '' : OTHERS[lock],
    source === 'documented' ? 'as the manual has it, not tried' : '',
    note ?? '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const OTHERS: Readonly<Record<DdlLock, string>> = {
  NONE: 'others read and write meanwhile',
  SHARED: 'writes wait meanwhile',
  EXCLUSIVE: 'reads and writes wait meanwhile',
};

function judgeByManual(
  session: MigrationSession,
  { statement: { text }, traits: { command, targets } }: SentStatement,
): Promise<DdlVerdict> | undefined {
  if (command !== 'ALTER TABLE') return undefined;
  if (REACHES_OTHERS.test(text))
    return Promise.resolve({ source: 'none', note: 'not tried: it moves the files of tables' });
  if (targets.length > 1)
    return Promise.resolve({
      source: 'none',
      note: 'not tried: it renames the table; a rename alone is INSTANT',
    });
  return FOREIGN_KEY.test(text) ? judgeForeignKey(session, text) : undefined;
}

/** https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html#online-ddl-foreign-key-operations */
async function judgeForeignKey(session: MigrationSession, text: string): Promise<DdlVerdict> {
  if (!/\bADD\b/i.test(text)) return { algorithm: 'INPLACE', lock: 'NONE', source: 'documented' };
  const [row] = await session.query<{ checks: number | string }>('SELECT @@foreign_key_checks AS checks');
  return Number(row!.checks) === 1
    ? {
        algorithm: 'COPY',
        lock: 'SHARED',
        source: 'documented',
        note: 'INPLACE with foreign_key_checks = 0, which checks no row',
      }
    : { algorithm: 'INPLACE', lock: 'NONE', source: 'documented', note: 'no row is checked' };
}

async function tryOnCopy(session: MigrationSession, sent: SentStatement): Promise<DdlVerdict> {
  const { kind, schema, name, table = name } = sent.traits.targets[0]!;
  const tableOf = (own: string): string => nameOf(session, { kind, schema, name: own, table: own });
  const copy = tableOf(`holdfast_dry_run_${session.backendId}`);
  try {
    await session.query(`CREATE TABLE ${copy} LIKE ${tableOf(table)}`);
  } catch (error) {
    if (session.lost) throw error;
    return {
      source: 'none',
      ...(ABSENT.has(databaseCodeOf(error)) && { refused: true }),
      note: ABSENT.has(databaseCodeOf(error))
        ? 'its table does not exist: the statement would fail'
        : `not tried, since no copy of the table could be made: ${messageOf(error)}`,
    };
  }
  try {
    return await firstAccepted(session, sent, copy);
  } finally {
    if (!session.lost) await session.query(`DROP TABLE IF EXISTS ${copy}`);
  }
}

async function firstAccepted(
  session: MigrationSession,
  sent: SentStatement,
  copy: string,
): Promise<DdlVerdict> {
  const run = (attempt?: Attempt): Promise<unknown> =>
    errorOf(session, onCopy(session, sent, { copy, attempt }));
  if (NAMES_ALGORITHM.test(sent.statement.text))
    return plainVerdict(await run(), 'with the ALGORITHM that it names');
  for (const attempt of ATTEMPTS) {
    const error = await run(attempt);
    if (error === undefined) return { ...attempt, source: 'tried' };
    // Clauses about partitions take no ALGORITHM.
    if (databaseCodeOf(error) === SYNTAX_ERROR)
      return plainVerdict(
        await run(),
        'with the ALGORITHM that the server chooses: it lets none be named here',
      );
    if (!REFUSED.has(databaseCodeOf(error))) return plainVerdict(error, '');
  }
  return { source: 'none', note: 'the server refused every ALGORITHM' };
}

async function errorOf(session: MigrationSession, text: string): Promise<unknown> {
  try {
    await session.query(text);
    return undefined;
  } catch (error) {
    if (session.lost) throw error;
    return error;
  }
}

function plainVerdict(error: unknown, note: string): DdlVerdict {
  return error === undefined
    ? { source: 'tried', note }
    : { source: 'none', refused: true, note: `the server refuses it: ${messageOf(error)}` };
}

/** The statement with the copy in place of its table, and with the clause: before its own ones in ALTER TABLE, last in CREATE INDEX. */
function onCopy(
  session: MigrationSession,
  { statement: { text }, traits: { command, targets } }: SentStatement,
  { copy, attempt }: { readonly copy: string; readonly attempt: Attempt | undefined },
): string {
  const clauses = attempt ? [`ALGORITHM=${attempt.algorithm}`] : [];
  if (attempt?.lock !== undefined) clauses.push(`LOCK=${attempt.lock}`);
  const words = new MysqlWords(text);
  readMysqlCommand(words);
  const ifExists = words.accept('IF') && words.accept('EXISTS') ? 'IF EXISTS ' : '';
  // MariaDB's DROP INDEX takes no ALGORITHM; to both servers it is this ALTER TABLE.
  if (command === 'DROP INDEX')
    return `ALTER TABLE ${copy} ${[...clauses, `DROP INDEX ${ifExists}${session.quote(targets[0]!.name)}`].join(', ')}`;
  if (command !== 'ALTER TABLE') words.skipTo('ON');
  const from = words.next.at;
  words.qualifiedName();
  const { at: to, kind } = words.next;
  const before = text.slice(0, from) + copy;
  if (command !== 'ALTER TABLE') return `${before} ${text.slice(to)}\n${clauses.join(' ')}`;
  return `${before} ${clauses.join(', ')}${clauses.length === 0 || kind === 'end' ? '' : ', '}${text.slice(to)}`;
}
