import type { MigrationSession } from '../database/session.js';
import { type AskedOfServer, type Landed, type LandedCheck, type SentStatement, THERE } from './landed.js';
import { type Definition, nameOf, readDefinitions, readTableIds, whetherThere } from './mysql-definitions.js';
import { MysqlWords } from './mysql-words.js';
import type { StatementTarget } from './traits.js';

/**
 * By what is told whether a statement took effect:
 * - `repeatable`: by nothing; to run it again does no harm.
 * - `new table`: by whether there is a table of that name: if there was one before, it changes none.
 * - `definition`: by what SHOW CREATE says of its targets.
 * - `identity`: by InnoDB's numbers of its tables, where the definition stays as it is.
 */
type Evidence = 'repeatable' | 'new table' | 'definition' | 'identity' | 'none';

const REPEATABLE =
  /^(?:ANALYZE|CHECK|OPTIMIZE|REPAIR|FLUSH|RESET|CACHE|LOAD|LOCK|UNLOCK|GRANT|SET|START|STOP|ALTER USER)\b/;
/** Statements about what has no definition that everybody may see, if it may exist or be missing. */
const ACCOUNTS = /^(?:CREATE|DROP) (?:USER|ROLE|PACKAGE|SERVER)$/;
/** OR REPLACE may stand behind a comment, and all of it behind SET STATEMENT: of anything else the definition is read. */
const PLAIN_CREATE = /^CREATE\s+TABLE\b/i;
/** Of the rows that a new table takes from a query the server commits nothing by itself. */
const MAY_BE_FILLED = /\b(?:SELECT|VALUES|WITH|TABLE\b[^]*\bTABLE)\b/i;
const FORGIVING = /^\s*(?:CREATE\s+OR\s+REPLACE|(?:CREATE|DROP)\s+[\w\s]+?\bIF\s+(?:NOT\s+)?EXISTS)\b/i;
const IF_EXISTS = /\bIF\s+EXISTS\b/i;
const KEEPS_DEFINITION = /\b(?:EXCHANGE|TRUNCATE)\s+PARTITION\b/i;
/** Their effect is in the files of the table. */
const MOVES_FILES = /\b(?:DISCARD|IMPORT)\s+(?:PARTITION\b.*\s)?TABLESPACE\b/is;
/** Such an event is gone once it has happened. */
const HAPPENS_ONCE = /\bSCHEDULE\s+AT\b/i;

/**
 * Tells of statements of MySQL and MariaDB, which commit by themselves, whether they took effect when the answer never
 * came. See the table in test/migrations/sql/mysql-landed.test.ts for each kind of statement.
 */
export const mysqlLanded: LandedCheck = {
  async fingerprint(session, sent) {
    const { targets } = sent.traits;
    switch (evidenceOf(sent)) {
      case 'none':
        return undefined;
      case 'repeatable':
        return 'repeatable';
      case 'identity': {
        const ids = await readTableIds(session, targets);
        if (ids !== undefined) return `identity ${ids}`;
        return sent.traits.command === 'TRUNCATE TABLE' ? 'rows' : undefined;
      }
      case 'new table':
        return whetherNew(sent);
      case 'definition': {
        const definitions = await readDefinitions(session, targets);
        if (definitions === undefined) return undefined;
        const isNew = definitions.every((definition) => definition === 'absent');
        return `definition ${definitions.join(',')}${isNew ? '' : ` ${await sqlModeOf(session)}`}`;
      }
    }
  },

  askedWithIt: (sent) =>
    evidenceOf(sent) === 'new table' && !MAY_BE_FILLED.test(sent.statement.text)
      ? whetherNew(sent)
      : undefined,

  async landed(session, sent): Promise<Landed> {
    const { targets } = sent.traits;
    const [evidence, before, mode] = (sent.fingerprint ?? '').split(' ');
    switch (evidence) {
      case 'repeatable':
        return 'not landed';
      case 'rows':
        return (await isEmpty(session, targets[0]!)) ? 'landed' : 'unknown';
      case 'identity': {
        const now = await readTableIds(session, targets);
        return now === undefined ? 'unknown' : now === before ? 'not landed' : 'landed';
      }
      case 'definition': {
        if (sent.fingerprint === THERE) return 'not landed';
        const now = await inSqlMode(session, mode, () => readDefinitions(session, targets));
        return now === undefined ? 'unknown' : judge(session, sent, { before: before!.split(','), now });
      }
      default:
        return 'unknown';
    }
  },

  // DDL of these servers either happens or does not, one object at a time.
  leavesTraces: () => false,
  removeTraces: () => Promise.resolve(),
};

function evidenceOf({ statement: { text }, traits: { command, targets } }: SentStatement): Evidence {
  if (REPEATABLE.test(command)) return 'repeatable';
  if (ACCOUNTS.test(command)) return FORGIVING.test(text) ? 'repeatable' : 'none';
  if (targets.length === 0 || !/^(?:CREATE|ALTER|DROP|RENAME|TRUNCATE)\b/.test(command)) return 'none';
  if (command === 'CREATE TABLE' && PLAIN_CREATE.test(text)) return 'new table';
  if (command === 'TRUNCATE TABLE') return 'identity';
  if (command.endsWith(' EVENT')) return HAPPENS_ONCE.test(text) ? 'none' : 'definition';
  if (command === 'ALTER TABLE' && MOVES_FILES.test(text)) return 'none';
  if (command === 'ALTER TABLE' && KEEPS_DEFINITION.test(text)) return 'identity';
  if (command.startsWith('RENAME') && hasRepeated(targets)) return 'identity';
  return 'definition';
}

function whetherNew({ traits }: SentStatement): AskedOfServer {
  return whetherThere(traits.targets[0]!, { there: THERE, absent: 'definition absent' });
}

/** `RENAME TABLE a TO tmp, b TO a, tmp TO b`: the two may have one definition. */
function hasRepeated(targets: readonly StatementTarget[]): boolean {
  return new Set(targets.map(({ schema, name }) => `${schema}.${name}`)).size < targets.length;
}

interface Seen {
  readonly before: readonly Definition[];
  readonly now: readonly Definition[];
}

async function judge(session: MigrationSession, sent: SentStatement, seen: Seen): Promise<Landed> {
  const { command, targets } = sent.traits;
  const isSame = seen.now.every((definition, index) => definition === seen.before[index]);
  if (command.startsWith('DROP') && targets[0]!.kind !== 'index') return judgeDrop(seen, sent.statement.text);
  // What changed nothing may be run again: it will change nothing.
  if (isSame) return 'not landed';
  if (command === 'CREATE TABLE' && seen.now[0] !== 'absent' && isFilled(sent.statement.text)) {
    // MariaDB creates the table first: without rows nobody knows whether it was to get any.
    return (await isEmpty(session, targets[0]!)) ? 'unknown' : 'landed';
  }
  if (!seen.now.every((definition) => definition === 'absent')) return 'landed';
  // CREATE OR REPLACE drops first on MariaDB. An altered table that is gone is not this statement's doing.
  return command.startsWith('CREATE') && targets[0]!.kind !== 'index' ? 'not landed' : 'unknown';
}

/** Whether a CREATE TABLE takes rows from a query. */
function isFilled(text: string): boolean {
  const words = new MysqlWords(text);
  while (words.next.kind !== 'end' && !words.follows('SELECT')) words.take();
  return words.next.kind !== 'end';
}

/** MariaDB drops one table after the other. */
function judgeDrop({ now, before }: Seen, text: string): Landed {
  const gone = now.filter((definition) => definition === 'absent').length;
  if (gone === now.length) return 'landed';
  const wasGone = before.filter((definition) => definition === 'absent').length;
  return gone === wasGone || IF_EXISTS.test(text) ? 'not landed' : 'unknown';
}

async function isEmpty(session: MigrationSession, table: StatementTarget): Promise<boolean> {
  return (await session.query(`SELECT 1 FROM ${nameOf(session, table)} LIMIT 1`)).length === 0;
}

async function sqlModeOf(session: MigrationSession): Promise<string> {
  const [row] = await session.query<{ mode: string }>('SELECT @@SESSION.sql_mode AS mode');
  return row!.mode;
}

/** Definitions are quoted and abridged by sql_mode, which the script may have changed on the way. */
async function inSqlMode<T>(
  session: MigrationSession,
  mode: string | undefined,
  read: () => Promise<T>,
): Promise<T> {
  const own = mode === undefined ? undefined : await sqlModeOf(session);
  if (own === mode) return read();
  await session.query('SET SESSION sql_mode = ?', [mode]);
  try {
    return await read();
  } finally {
    if (!session.lost) await session.query('SET SESSION sql_mode = ?', [own]);
  }
}
