import type { MysqlToken, MysqlWords } from './mysql-words.js';
import type { StatementTarget } from './traits.js';

type Kind = StatementTarget['kind'];

const NAMED: Readonly<Record<string, Kind>> = {
  TABLE: 'table',
  TABLES: 'table',
  VIEW: 'view',
  SEQUENCE: 'sequence',
  PROCEDURE: 'procedure',
  FUNCTION: 'function',
  EVENT: 'event',
  TRIGGER: 'trigger',
  INDEX: 'index',
  DATABASE: 'database',
  SCHEMA: 'database',
};
const DML = /^(?:INSERT|REPLACE|UPDATE|DELETE|LOAD DATA|LOAD XML)$/;
const DML_MODIFIERS = ['LOW_PRIORITY', 'DELAYED', 'HIGH_PRIORITY', 'QUICK', 'IGNORE'];
const ALTER_RENAMES_OTHER: ReadonlySet<string> = new Set(['COLUMN', 'INDEX', 'KEY']);

/** What a statement creates, changes or drops, from behind its {@link readMysqlCommand command} on. */
export function readMysqlTargets(command: string, words: MysqlWords): readonly StatementTarget[] {
  if (DML.test(command)) return readChangedTable(command, words);
  const verb = command.split(' ', 1)[0]!;
  if (command === 'TRUNCATE TABLE') return readList('table', words);
  const kind = NAMED[command.slice(command.lastIndexOf(' ') + 1)];
  if (kind === undefined || verb === 'SHOW' || verb === 'FLUSH' || verb === 'UNLOCK') return [];
  skipExistence(words);
  if (kind === 'index') return verb === 'CACHE' || verb === 'LOAD' ? [] : readIndex(words);
  if (kind === 'trigger' && verb === 'CREATE') return readTrigger(words);
  if (verb === 'RENAME') return readRenames(words);
  if (verb === 'ALTER' && kind === 'table') return readAlteredTables(words);
  if (verb === 'ALTER' && (kind === 'event' || kind === 'procedure' || kind === 'function'))
    return [...readOne(kind, words), ...readRename(kind, words)];
  return verb === 'CREATE' || verb === 'ALTER' ? readOne(kind, words) : readList(kind, words);
}

function skipExistence(words: MysqlWords): void {
  if (words.accept('IF')) words.accept('NOT');
  words.accept('EXISTS');
}

function readOne(kind: Kind, words: MysqlWords): StatementTarget[] {
  const name = words.qualifiedName();
  return name ? [{ kind, ...name }] : [];
}

/** `a, b.c READ, …` */
function readList(kind: Kind, words: MysqlWords): StatementTarget[] {
  const targets = readOne(kind, words);
  while (hasNextInList(words)) targets.push(...readOne(kind, words));
  return targets;
}

function hasNextInList(words: MysqlWords): boolean {
  for (let depth = 0; words.next.kind !== 'end';) {
    const token = words.take();
    if (depth === 0 && isSymbol(token, ',')) return true;
    depth += isSymbol(token, '(') ? 1 : isSymbol(token, ')') ? -1 : 0;
  }
  return false;
}

function isSymbol({ kind, value }: MysqlToken, symbol: string): boolean {
  return kind === 'symbol' && value === symbol;
}

/** `a TO b, c TO d` */
function readRenames(words: MysqlWords): StatementTarget[] {
  const targets: StatementTarget[] = [];
  do {
    targets.push(...readOne('table', words));
    if (words.skipTo('TO')) targets.push(...readOne('table', words));
  } while (words.acceptSymbol(','));
  return targets;
}

/** The table; the name that it gets; the table that a partition is exchanged with. */
function readAlteredTables(words: MysqlWords): StatementTarget[] {
  const targets = readOne('table', words);
  while (words.skipTo('RENAME', 'EXCHANGE')) {
    // It was taken: which of the two it was is told by what follows.
    if (words.accept('PARTITION')) {
      if (words.skipTo('TABLE')) targets.push(...readOne('table', words));
    } else if (words.next.kind === 'name' || !ALTER_RENAMES_OTHER.has(words.next.value)) {
      words.accept('TO', 'AS');
      targets.push(...readOne('table', words));
    }
  }
  return targets;
}

function readRename(kind: Kind, words: MysqlWords): StatementTarget[] {
  if (kind !== 'event' || !words.skipTo('RENAME', 'DO') || !words.accept('TO')) return [];
  return readOne(kind, words);
}

/** `name [USING …] ON table` */
function readIndex(words: MysqlWords): StatementTarget[] {
  const index = words.qualifiedName();
  if (!index || !words.skipTo('ON')) return [];
  const table = words.qualifiedName();
  return table ? [{ kind: 'index', name: index.name, schema: table.schema, table: table.name }] : [];
}

function readTrigger(words: MysqlWords): StatementTarget[] {
  const trigger = words.qualifiedName();
  const table = words.skipTo('ON') ? words.qualifiedName() : undefined;
  return trigger ? [{ kind: 'trigger', ...trigger, table: table?.name }] : [];
}

function readChangedTable(command: string, words: MysqlWords): StatementTarget[] {
  while (words.accept(...DML_MODIFIERS)) continue;
  if (command === 'DELETE') return words.accept('FROM') ? readOne('table', words) : [];
  if (command.startsWith('LOAD')) return words.skipTo('TABLE') ? readOne('table', words) : [];
  if (command !== 'UPDATE') words.accept('INTO');
  return readOne('table', words);
}
