import { type MysqlToken, MysqlWords } from './mysql-words.js';
import { type LeftThing, type ReadSessionUse, temporaryOf } from './session-use.js';

/** They give the same in the next session; every other function may not. */
const SAME_EVERYWHERE = new Set(
  (
    'CONCAT CONCAT_WS IF IFNULL NULLIF COALESCE REPLACE LOWER UPPER LCASE UCASE TRIM LTRIM RTRIM LEFT RIGHT SUBSTR ' +
    'SUBSTRING LPAD RPAD REPEAT CAST CONVERT QUOTE CHAR HEX UNHEX ABS FLOOR CEIL CEILING ROUND MOD LEAST GREATEST ' +
    'VERSION DATABASE SCHEMA DATE TIME TIMESTAMP IN AND OR NOT SELECT'
  ).split(' '),
);
/** Variables of the server that tell what happened. */
const TELLS_WHAT_HAPPENED =
  /^(?:LAST_INSERT_ID|IDENTITY|INSERT_ID|ERROR_COUNT|WARNING_COUNT|TIMESTAMP|RAND_SEED[12]|LAST_GTID|IN_TRANSACTION)$/;
const CLOCK = /^(?:CURRENT_TIMESTAMP|CURRENT_DATE|CURRENT_TIME|LOCALTIME|LOCALTIMESTAMP|UTC_\w+)$/;
/** What these hold runs later, in the session of somebody else. */
const DEFINES = /^CREATE (?:PROCEDURE|FUNCTION|TRIGGER|EVENT)$/;
/** A text of theirs is a statement. */
const HOLDS_STATEMENT = /^(?:PREPARE|EXECUTE)$/;
const GIVES_ID = /^(?:INSERT|REPLACE|LOAD DATA|LOAD XML|CALL|EXECUTE)$/;
const LAST_ID = 'last_insert_id()';

/** What a statement of MySQL or MariaDB has to do with user variables, temporary tables and prepared statements. */
export const readMysqlSessionUse: ReadSessionUse = ({ text }, traits) => {
  const { command, targets } = traits;
  const tokens = tokensOf(text);
  if (command === 'SET') return readSet(tokens);
  const temporary = temporaryOf(traits);
  const leaves: LeftThing[] = temporary.map((name) => left('temporary table', name));
  if (GIVES_ID.test(command)) leaves.push(left('last id', LAST_ID));
  if (command === 'PREPARE') {
    const name = tokens[1];
    if (name) leaves.push(left('prepared statement', `statement ${nameOf(name)}`));
  }
  for (const name of assignedIn(tokens, command)) leaves.push(left('variable', name));
  const isDrop = command === 'DROP TEMPORARY TABLE';
  const ends = /^DROP (?:TEMPORARY )?TABLE$/.test(command)
    ? targets.map(({ name }) => name.toLowerCase())
    : [];
  const reads = DEFINES.test(command)
    ? new Set<string>()
    : readsOf(HOLDS_STATEMENT.test(command) ? [...tokens, ...tokensInTexts(tokens)] : tokens);
  if (/^(?:EXECUTE|DEALLOCATE)$/.test(command)) {
    const name = tokens[tokens[1]?.value === 'PREPARE' ? 2 : 1];
    if (name) reads.add(`statement ${nameOf(name)}`);
  }
  for (const name of temporary) reads.delete(name);
  // With IF EXISTS it is nothing where the table is gone; without TEMPORARY it would drop another table of that name.
  if (isDrop && tokens.some(({ value }) => value === 'EXISTS')) for (const name of ends) reads.delete(name);
  if (command.startsWith('SELECT'))
    for (const { kind, name } of leaves)
      if (kind === 'variable' && !isReadIn(tokens, name)) reads.delete(name);
  return { leaves, reads, ends, isSetting: traits.changesSession };
};

function left(kind: LeftThing['kind'], name: string): LeftThing {
  return { kind, name, isFromData: true, reads: [] };
}

/** Each assignment by itself: `SET @a = 1, sql_mode = '', @b := (SELECT …)`. */
function readSet(tokens: readonly MysqlToken[]): ReturnType<ReadSessionUse> {
  const leaves: LeftThing[] = [];
  const reads = new Set<string>();
  let isSetting = false;
  for (const assignment of assignmentsOf(tokens.slice(1))) {
    const name = variableAt(assignment, 0);
    const value = assignment.slice(Math.max(0, assignment.findIndex(({ value: sign }) => sign === '=') + 1));
    const readHere = readsOf(value);
    for (const read of readHere) reads.add(read);
    if (name === undefined) isSetting = true;
    else leaves.push({ kind: 'variable', name, isFromData: isFromData(value), reads: [...readHere] });
  }
  return { leaves, reads, ends: [], isSetting };
}

function assignmentsOf(tokens: readonly MysqlToken[]): readonly (readonly MysqlToken[])[] {
  const assignments: MysqlToken[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (isSymbol(token, '(')) depth++;
    else if (isSymbol(token, ')')) depth--;
    if (depth === 0 && isSymbol(token, ',')) assignments.push([]);
    else assignments.at(-1)!.push(token);
  }
  return assignments;
}

function isFromData(value: readonly MysqlToken[]): boolean {
  return value.some((token, index) => {
    if (token.kind !== 'word') return isSymbol(token, '(') && value[index - 1]?.kind === 'name';
    if (token.value === 'FROM' || CLOCK.test(token.value)) return true;
    if (isSymbol(value[index - 1], '@') || isSymbol(value[index - 1], '.'))
      return isSystem(value, index) && TELLS_WHAT_HAPPENED.test(token.value);
    return isSymbol(value[index + 1], '(') && !SAME_EVERYWHERE.has(token.value);
  });
}

/** Whether the word is the name in `@@name` or `@@SESSION.name`. */
function isSystem(tokens: readonly MysqlToken[], index: number): boolean {
  const at = isSymbol(tokens[index - 1], '.') ? index - 2 : index;
  return isSymbol(tokens[at - 1], '@') && isSymbol(tokens[at - 2], '@');
}

/** `SELECT … INTO @a, @b`, `FETCH … INTO @a`, `@a := …`, `CALL p(@a)`. */
function assignedIn(tokens: readonly MysqlToken[], command: string): ReadonlySet<string> {
  const assigned = new Set<string>();
  let isInto = command === 'CALL';
  tokens.forEach((token, index) => {
    if (token.kind === 'word' && token.value === 'INTO') isInto = true;
    else if (token.kind === 'word' && isInto && command !== 'CALL' && !isSymbol(tokens[index - 1], '@'))
      isInto = false;
    const name = variableAt(tokens, index);
    if (name === undefined) return;
    if (isInto || (isSymbol(tokens[index + 2], ':') && isSymbol(tokens[index + 3], '='))) assigned.add(name);
  });
  return assigned;
}

/** Whether the variable stands where no INTO leads up to it. */
function isReadIn(tokens: readonly MysqlToken[], name: string): boolean {
  const into = tokens.findLastIndex(({ kind, value }) => kind === 'word' && value === 'INTO');
  return tokens.some((_, index) => (into < 0 || index < into) && variableAt(tokens, index) === name);
}

/** Every name that is mentioned: those of variables with their `@`, of tables without their schema. */
function readsOf(tokens: readonly MysqlToken[]): Set<string> {
  const names = new Set<string>();
  tokens.forEach((token, index) => {
    const variable = variableAt(tokens, index);
    if (variable !== undefined) names.add(variable);
    if (isSymbol(tokens[index - 1], '@')) {
      if (isSystem(tokens, index) && /^(?:LAST_INSERT_ID|IDENTITY)$/.test(token.value)) names.add(LAST_ID);
    } else if (token.value === 'LAST_INSERT_ID') {
      // With an argument it says what it was told.
      if (isSymbol(tokens[index + 1], '(') && isSymbol(tokens[index + 2], ')')) names.add(LAST_ID);
    } else if (token.kind === 'word' || token.kind === 'name') names.add(nameOf(token));
  });
  return names;
}

/** The user variable that begins there, with its `@`. */
function variableAt(tokens: readonly MysqlToken[], index: number): string | undefined {
  if (!isSymbol(tokens[index], '@') || isSymbol(tokens[index - 1], '@')) return undefined;
  const name = tokens[index + 1];
  return name === undefined || name.kind === 'symbol' ? undefined : `@${nameOf(name)}`;
}

function nameOf({ kind, value }: MysqlToken): string {
  return (kind === 'text' ? value.slice(1, -1) : value).toLowerCase();
}

function tokensInTexts(tokens: readonly MysqlToken[]): readonly MysqlToken[] {
  return tokens.flatMap(({ kind, value }) => (kind === 'text' ? tokensOf(value.slice(1, -1)) : []));
}

function tokensOf(text: string): readonly MysqlToken[] {
  const words = new MysqlWords(text);
  const tokens: MysqlToken[] = [];
  while (words.next.kind !== 'end') tokens.push(words.take());
  return tokens;
}

function isSymbol(token: MysqlToken | undefined, symbol: string): boolean {
  return token?.kind === 'symbol' && token.value === symbol;
}
