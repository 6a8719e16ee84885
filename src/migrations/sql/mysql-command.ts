import type { MysqlWords } from './mysql-words.js';

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));

/** With these a statement begins whose next word says what it is about. */
const WITH_OBJECT = set(
  'CREATE ALTER DROP RENAME ANALYZE CHECK OPTIMIZE REPAIR LOCK UNLOCK FLUSH RESET START STOP CHANGE INSTALL UNINSTALL ' +
    'CACHE LOAD SHOW BACKUP PURGE',
);
/** What may stand between the two and changes nothing of what the statement is. */
const MODIFIERS = set('OR REPLACE ONLINE OFFLINE IGNORE AGGREGATE NO_WRITE_TO_BINLOG LOCAL SQL SECURITY');
/** With a value behind it: `DEFINER = user@host`. */
const ATTRIBUTES = set('DEFINER ALGORITHM SECURITY');
/** What belongs to the object that follows. */
const QUALIFIERS = set('TEMPORARY UNIQUE FULLTEXT SPATIAL VECTOR ALL');

/**
 * The keywords that say what a statement is, in upper case: `INSERT`, `CREATE TEMPORARY TABLE`, `SET PASSWORD`. What
 * changes nothing of it is left out (`OR REPLACE`, `DEFINER = …`, `IF EXISTS`), and so is MariaDB's `SET STATEMENT … FOR`. The words go on with
 * what follows the keywords.
 */
export function readMysqlCommand(words: MysqlWords): string {
  while (words.acceptSymbol('(')) continue;
  const { kind, value: first } = words.take();
  if (kind !== 'word') return '';
  if (first === 'SET') return readSet(words);
  if (first === 'BEGIN') return readBegin(words);
  if (first === 'TRUNCATE') {
    words.accept('TABLE');
    return 'TRUNCATE TABLE';
  }
  if (first === 'ROLLBACK') {
    words.accept('WORK');
    return words.follows('TO') ? 'ROLLBACK TO SAVEPOINT' : 'ROLLBACK';
  }
  return WITH_OBJECT.has(first) ? `${first} ${readObject(words)}`.trimEnd() : first;
}

function readSet(words: MysqlWords): string {
  if (words.accept('STATEMENT')) return words.skipTo('FOR') ? readMysqlCommand(words) : 'SET STATEMENT';
  if (words.accept('PASSWORD')) return 'SET PASSWORD';
  if (words.accept('DEFAULT')) return words.accept('ROLE') ? 'SET DEFAULT ROLE' : 'SET';
  return 'SET';
}

/** BEGIN and BEGIN WORK begin a transaction. With anything else behind it, it begins a block of statements. */
function readBegin(words: MysqlWords): string {
  if (words.next.kind === 'end' || words.follows('WORK')) return 'BEGIN';
  return words.accept('NOT') ? 'BEGIN NOT ATOMIC' : 'BEGIN BLOCK';
}

function readObject(words: MysqlWords): string {
  let qualifiers = '';
  for (;;) {
    const { kind, value } = words.next;
    if (kind !== 'word') return qualifiers.trimEnd();
    words.take();
    if (ATTRIBUTES.has(value)) skipValue(words);
    else if (QUALIFIERS.has(value)) qualifiers += `${value} `;
    else if (!MODIFIERS.has(value)) return qualifiers + value;
  }
}

/** `= user@host`, `= CURRENT_USER()`, `INVOKER`. */
function skipValue(words: MysqlWords): void {
  words.acceptSymbol('=');
  words.take();
  if (words.acceptSymbol('(')) words.acceptSymbol(')');
  if (words.acceptSymbol('@')) words.take();
}
