import type { PostgresWords } from './postgres-words.js';

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));

/** What may stand between and is of no interest. */
const MODIFIERS = set('OR REPLACE GLOBAL LOCAL TRUSTED PROCEDURAL');
/** What belongs to the object that follows. */
const QUALIFIERS = set('TEMPORARY TEMP UNLOGGED UNIQUE RECURSIVE CONSTRAINT');
/** Objects of two words, by their first. */
const SECOND_WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  MATERIALIZED: set('VIEW'),
  FOREIGN: set('TABLE DATA'),
  EVENT: set('TRIGGER'),
  ACCESS: set('METHOD'),
  USER: set('MAPPING'),
  TEXT: set('SEARCH'),
  OPERATOR: set('CLASS FAMILY'),
  DEFAULT: set('PRIVILEGES'),
  LARGE: set('OBJECT'),
};
const DML = ['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'SELECT', 'VALUES', 'TABLE'] as const;

/**
 * The keywords that say what a statement of PostgreSQL is, in upper case: `INSERT`, `CREATE UNIQUE INDEX CONCURRENTLY`,
 * `ROLLBACK TO SAVEPOINT`. What changes nothing of it is left out (`OR REPLACE`, `IF EXISTS`); of WITH it is what
 * follows the queries. The words go on with what follows the keywords.
 */
export function readPostgresCommand(words: PostgresWords): string {
  while (words.acceptSymbol('(')) continue;
  if (words.next?.kind !== 'word') return '';
  const first = words.take()!.value;
  switch (first) {
    case 'CREATE':
    case 'ALTER':
    case 'DROP':
      return readObject(first, words);
    case 'WITH':
      return words.skipTo(...DML) ?? first;
    case 'TRUNCATE':
      words.accept('TABLE');
      return 'TRUNCATE TABLE';
    case 'REFRESH':
      words.accept('MATERIALIZED');
      words.accept('VIEW');
      return withConcurrently('REFRESH MATERIALIZED VIEW', words);
    case 'REINDEX':
      return readReindex(words);
    case 'START':
      words.accept('TRANSACTION');
      return 'START TRANSACTION';
    case 'PREPARE':
      return words.accept('TRANSACTION') ? 'PREPARE TRANSACTION' : first;
    case 'COMMIT':
      return words.accept('PREPARED') ? 'COMMIT PREPARED' : first;
    case 'ROLLBACK':
      if (words.accept('PREPARED')) return 'ROLLBACK PREPARED';
      words.accept('WORK', 'TRANSACTION');
      return words.accept('TO') ? 'ROLLBACK TO SAVEPOINT' : first;
    case 'DISCARD':
      return words.accept('ALL') ? 'DISCARD ALL' : first;
    default:
      return first;
  }
}

function readObject(verb: string, words: PostgresWords): string {
  let command = verb;
  while (words.next?.kind === 'word') {
    const { value } = words.take()!;
    if (MODIFIERS.has(value)) continue;
    command += ` ${value === 'TEMP' ? 'TEMPORARY' : value}`;
    if (QUALIFIERS.has(value)) continue;
    const second = SECOND_WORDS[value];
    if (second !== undefined && words.follows(...second)) {
      command += ` ${words.take()!.value}`;
      if (words.accept('WRAPPER')) command += ' WRAPPER';
    }
    return withConcurrently(command, words);
  }
  return command;
}

function withConcurrently(command: string, words: PostgresWords): string {
  return words.accept('CONCURRENTLY') ? `${command} CONCURRENTLY` : command;
}

/** `REINDEX (VERBOSE, CONCURRENTLY) TABLE t` and `REINDEX TABLE CONCURRENTLY t` are the same. */
function readReindex(words: PostgresWords): string {
  const options = words.parenthesised();
  const object = words.next?.kind === 'word' ? ` ${words.take()!.value}` : '';
  const command = withConcurrently(`REINDEX${object}`, words);
  return isOn('CONCURRENTLY', options) && !command.endsWith('CONCURRENTLY')
    ? `${command} CONCURRENTLY`
    : command;
}

/** Whether an option in parentheses is there and not switched off: `(CONCURRENTLY)`, `(CONCURRENTLY true)`. */
export function isOn(option: string, options: readonly string[]): boolean {
  const at = options.indexOf(option);
  return at >= 0 && !/^(?:false|off|0)$/i.test(options[at + 1] ?? '');
}
