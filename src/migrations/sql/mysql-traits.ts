import { commitsImplicitly } from '../../connection/drivers/mysql/implicit-commit.js';
import { LastInsert } from './last-insert.js';
import { readMysqlCommand } from './mysql-command.js';
import { readMysqlTargets } from './mysql-targets.js';
import { MysqlWords } from './mysql-words.js';
import type { ReadTraits, StatementTraits } from './traits.js';

const CONTROLS = /^(?:BEGIN|COMMIT|ROLLBACK|START TRANSACTION|XA)$/;
const CHANGES_SESSION = /^(?:SET|USE)$/;
/** Under it the tables of our own could not be written, and the migration lock is held already. */
const LEFT_OUT = /^(?:UN)?LOCK TABLES?$/;
/** A block of statements outside of stored programs, which MariaDB has. */
const BLOCK = /^(?:BEGIN NOT ATOMIC|BEGIN BLOCK|IF|CASE|LOOP|WHILE|REPEAT|FOR|DECLARE)$/;
/** What runs statements that are not in its text. */
const RUNS_OTHERS = /^(?:CALL|EXECUTE)\b/;
/** What in a block may end the transaction around it. */
const MAY_END_TRANSACTION =
  /\b(?:alter|create|drop|truncate|rename|grant|revoke|lock|commit|rollback|start|xa|autocommit|analyze|optimize|call|execute)\b/i;
/** What a file has thousands of: what the tokens would say of it, at a fraction of their time. */
const PLAIN_INSERT =
  /^(INSERT|REPLACE)\s+INTO\s+(?:(?:`([^`]+)`|([A-Za-z_]\w*))\.)?(?:`([^`]+)`|([A-Za-z_]\w*))\s*(?=\(|\bVALUES\b)/i;

const lastInsert = new LastInsert();

const RECURSIVE = /\bwith(?:\s|\/\*[^*]*\*\/)+recursive\b/i;

/**
 * Reads the traits of a statement of MySQL or MariaDB. It stands alone where the server commits before it, whatever
 * becomes of it: https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html and
 * https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/. A block of statements does where one of its
 * words may end the transaction. What CALL and EXECUTE do cannot be seen.
 *
 * @example
 * ```ts
 * readMysqlTraits(statement, 101111).standsAlone; // true for ALTER TABLE orders ADD COLUMN note text
 * ```
 */
export const readMysqlTraits: ReadTraits = ({ text }) => {
  const insert = PLAIN_INSERT.exec(text);
  if (insert !== null) {
    const isRecursive = RECURSIVE.test(text);
    return lastInsert.traitsOf(insert[0], isRecursive, () => traitsOfInsert(insert, isRecursive));
  }
  const words = new MysqlWords(text);
  const command = readMysqlCommand(words);
  const assigned = command === 'SET' ? assignments(words) : [];
  return {
    command,
    standsAlone: BLOCK.test(command) ? MAY_END_TRANSACTION.test(text) : commitsImplicitly(command),
    controlsTransaction: CONTROLS.test(command) || assigned.some((each) => AUTOCOMMIT.test(each)),
    autocommit: switchedTo(assigned),
    mayCommit: RUNS_OTHERS.test(command) || BLOCK.test(command),
    changesSession: CHANGES_SESSION.test(command),
    isLeftOut: LEFT_OUT.test(command),
    isRecursive: RECURSIVE.test(text),
    targets: readMysqlTargets(command, words),
  };
};

function traitsOfInsert(found: RegExpExecArray, isRecursive: boolean): StatementTraits {
  const [, command, quotedSchema, schema = quotedSchema, quotedName, name = quotedName] = found;
  return {
    command: command!.toUpperCase(),
    standsAlone: false,
    controlsTransaction: false,
    changesSession: false,
    isLeftOut: false,
    isRecursive,
    targets: [{ kind: 'table', ...(schema !== undefined && { schema }), name: name! }],
  };
}

/** `SET autocommit = 0`, `SET @@session.autocommit = 0`, but not `SET @autocommit = 0`, which is a variable of the user. */
const AUTOCOMMIT = /^(?:(?:SESSION|LOCAL) |@@(?:(?:SESSION|LOCAL)\.)?)?AUTOCOMMIT:?=(.*)$/;
/** A dump keeps what was, to put it back at its end. Another variable may be meant for something else. */
const KEEPS_AUTOCOMMIT = /^@OLD_AUTOCOMMIT:?=@@(?:(?:SESSION|LOCAL)\.)?AUTOCOMMIT$/;
const VALUES = [
  [/^(?:0|OFF|FALSE)$/, 'off'],
  [/^(?:1|ON|TRUE|DEFAULT)$/, 'on'],
  [/^@OLD_AUTOCOMMIT$/, 'kept'],
] as const;

/** What SET assigns, each in upper case and without what does not count: `@OLD=@@AUTOCOMMIT`. */
function assignments(words: MysqlWords): readonly string[] {
  const found = [''];
  for (let depth = 0, last = ''; words.next.kind !== 'end';) {
    const token = words.take();
    const value = token.value.toUpperCase();
    // A name in backticks is one all the same.
    const kind = token.kind === 'name' ? 'word' : token.kind;
    if (value === '(') depth++;
    if (value === ')') depth--;
    if (kind === 'symbol' && value === ',' && depth === 0) found.push('');
    else found[found.length - 1] += kind === 'word' && last === 'word' ? ` ${value}` : value;
    last = kind;
  }
  return found;
}

function switchedTo(assigned: readonly string[]): StatementTraits['autocommit'] {
  const [value, ...others] = assigned.flatMap((each) => AUTOCOMMIT.exec(each)?.[1] ?? []);
  const rest = assigned.filter((each) => !AUTOCOMMIT.test(each));
  const [, to] = VALUES.find(([pattern]) => value !== undefined && pattern.test(value)) ?? [];
  if (to === undefined || others.length > 0 || !rest.every((each) => KEEPS_AUTOCOMMIT.test(each)))
    return undefined;
  return { to, keeps: rest.length > 0 };
}
