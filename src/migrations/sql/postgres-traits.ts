import { LastInsert } from './last-insert.js';
import { isOn, readPostgresCommand } from './postgres-command.js';
import { readPostgresTargets } from './postgres-targets.js';
import { PostgresWords, tokensOf } from './postgres-words.js';
import type { ReadTraits, StatementTraits } from './traits.js';

const CONTROLS =
  /^(?:BEGIN|START TRANSACTION|COMMIT|END|ROLLBACK|ABORT|PREPARE TRANSACTION|COMMIT PREPARED|ROLLBACK PREPARED)$/;
const CHANGES_SESSION = /^(?:SET|RESET|DISCARD|DISCARD ALL)$/;
const RECURSIVE = /\brecursive\b/i;
const ALWAYS_ALONE =
  /^(?:(?:CREATE|DROP) (?:DATABASE|TABLESPACE|SUBSCRIPTION)|(?:CREATE (?:UNIQUE )?|DROP )INDEX CONCURRENTLY|REINDEX (?:SCHEMA|DATABASE|SYSTEM)(?: CONCURRENTLY)?|REINDEX \w+ CONCURRENTLY|VACUUM|ALTER SYSTEM|DISCARD ALL|(?:COMMIT|ROLLBACK) PREPARED)$/;

/** What a file has thousands of. What it says here is what the tokens would say, at a fraction of their time. */
const PLAIN_INSERT = /^INSERT\s+INTO\s+(?:([a-z_]\w*)\.)?([a-z_]\w*)(?=\s*\(|\s+VALUES\b)/i;

const lastInsert = new LastInsert();

/** From this version on ALTER TYPE … ADD VALUE runs in a transaction. */
const ENUM_VALUE_IN_TRANSACTION = 120000;

/**
 * Reads the traits of a statement of PostgreSQL. It stands alone where the server refuses it in a transaction block with
 * 25001: the callers of `PreventInTransactionBlock()` in its source. Not all can be told from the statement: CLUSTER and
 * REINDEX of a partitioned table, a procedure or DO block that commits; such a file says `-- no-transaction`. REFRESH
 * MATERIALIZED VIEW CONCURRENTLY runs in a transaction.
 *
 * `ALTER TYPE … ADD VALUE` runs in a transaction since PostgreSQL 12, but until that commits nothing can use the new
 * value (55P04, unless the type was made in it as well): whoever inserts it in the same file puts the ALTER TYPE into a
 * migration of its own, or says `-- no-transaction`.
 *
 * @example
 * ```ts
 * readPostgresTraits(statement, 180004).standsAlone; // true for CREATE INDEX CONCURRENTLY i ON t (a)
 * ```
 */
export const readPostgresTraits: ReadTraits = ({ text }, versionNumber) => {
  const isRecursive = RECURSIVE.test(text) && holdsWithRecursive(text);
  const insert = PLAIN_INSERT.exec(text);
  if (insert !== null)
    return lastInsert.traitsOf(insert[0], isRecursive, () => traitsOfInsert(insert, isRecursive));
  const words = new PostgresWords(text);
  const command = readPostgresCommand(words);
  const targets = readPostgresTargets(command, words);
  return {
    command,
    standsAlone: ALWAYS_ALONE.test(command) || standsAlone(command, { words, versionNumber }),
    controlsTransaction: CONTROLS.test(command),
    changesSession: CHANGES_SESSION.test(command) || (command === 'SELECT' && /\bset_config\b/i.test(text)),
    isRecursive,
    targets,
  };
};

function traitsOfInsert([, schema, name]: RegExpExecArray, isRecursive: boolean): StatementTraits {
  const named = { name: name!.toLowerCase(), ...(schema !== undefined && { schema: schema.toLowerCase() }) };
  return {
    command: 'INSERT',
    standsAlone: false,
    controlsTransaction: false,
    changesSession: false,
    isRecursive,
    targets: [{ kind: 'table', ...named }],
  };
}

interface Rest {
  /** What follows the command, and the name where it has one. */
  readonly words: PostgresWords;
  readonly versionNumber: number;
}

function standsAlone(command: string, { words, versionNumber }: Rest): boolean {
  switch (command) {
    // Without a table it is every one, each in a transaction of its own.
    case 'CLUSTER': {
      words.parenthesised();
      words.accept('VERBOSE');
      return words.next === undefined;
    }
    case 'REPACK': {
      const options = words.parenthesised();
      return words.next === undefined || isOn('CONCURRENTLY', options) || isOn('ANALYZE', options);
    }
    case 'ALTER DATABASE':
      return words.accept('SET') && words.follows('TABLESPACE');
    // What talks to the publisher.
    case 'ALTER SUBSCRIPTION':
      return words.follows('REFRESH', 'ADD', 'DROP') || words.accept('SET');
    case 'ALTER TABLE':
      return words.skipTo('DETACH') !== undefined && words.skipTo('CONCURRENTLY') !== undefined;
    case 'ALTER TYPE':
      return versionNumber < ENUM_VALUE_IN_TRANSACTION && words.accept('ADD') && words.follows('VALUE');
    default:
      return false;
  }
}

function holdsWithRecursive(text: string): boolean {
  let follows = false;
  for (const { kind, value } of tokensOf(text)) {
    if (follows && kind === 'word' && value === 'RECURSIVE') return true;
    follows = kind === 'word' && value === 'WITH';
  }
  return false;
}
