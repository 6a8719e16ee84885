import type { PostgresWords } from './postgres-words.js';
import type { StatementTarget } from './traits.js';

type Kind = StatementTarget['kind'];

const KINDS: Readonly<Record<string, Kind>> = {
  TABLE: 'table',
  'FOREIGN TABLE': 'table',
  INDEX: 'index',
  VIEW: 'view',
  'MATERIALIZED VIEW': 'materialized view',
  SEQUENCE: 'sequence',
  TYPE: 'type',
  DOMAIN: 'type',
  FUNCTION: 'function',
  AGGREGATE: 'function',
  PROCEDURE: 'procedure',
  TRIGGER: 'trigger',
  SCHEMA: 'schema',
  DATABASE: 'database',
};
const OTHERS = new Set([
  'ACCESS METHOD',
  'COLLATION',
  'CONVERSION',
  'EVENT TRIGGER',
  'EXTENSION',
  'FOREIGN DATA WRAPPER',
  'GROUP',
  'LANGUAGE',
  'POLICY',
  'PUBLICATION',
  'ROLE',
  'ROUTINE',
  'RULE',
  'SERVER',
  'STATISTICS',
  'SUBSCRIPTION',
  'TABLESPACE',
  'USER',
]);
/** They are named within their table. */
const OF_TABLE = /\b(?:TRIGGER|POLICY|RULE)$/;
const QUALIFIERS = /^(?:(?:TEMPORARY|UNLOGGED|UNIQUE|RECURSIVE|CONSTRAINT) )+/;

/** What a statement creates, changes or drops, from behind its {@link readPostgresCommand command} on. */
export function readPostgresTargets(command: string, words: PostgresWords): readonly StatementTarget[] {
  switch (command) {
    case 'INSERT':
    case 'MERGE':
      return words.accept('INTO') ? readTable(words) : [];
    case 'DELETE':
      return words.accept('FROM') ? readTable(words) : [];
    case 'UPDATE':
      return readTable(words);
    case 'COPY':
      return readCopied(words);
    case 'TRUNCATE TABLE':
      return readList('table', words);
  }
  const [, verb, rest] = /^(CREATE|ALTER|DROP|REINDEX|REFRESH) (.+?)(?: CONCURRENTLY)?$/.exec(command) ?? [];
  if (verb === undefined || rest === undefined) return [];
  const object = rest.replace(QUALIFIERS, '');
  const kind = KINDS[object] ?? (OTHERS.has(object) ? 'other' : undefined);
  if (kind === undefined) return [];
  if (words.accept('IF')) words.accept('NOT');
  words.accept('EXISTS');
  if (verb === 'CREATE' && kind === 'index') return readIndex(words);
  if (kind === 'schema' && words.follows('AUTHORIZATION')) return [];
  if (verb !== 'REINDEX' && OF_TABLE.test(object) && object !== 'EVENT TRIGGER')
    return readOfTable(kind, words);
  return verb === 'DROP' ? readList(kind, words) : readOne(kind, words);
}

function readOne(kind: Kind, words: PostgresWords): StatementTarget[] {
  // `ALTER TABLE ALL IN TABLESPACE …`
  if (words.accept('ALL') && words.follows('IN')) return [];
  words.accept('ONLY');
  const name = words.name();
  return name === undefined ? [] : [{ kind, ...name }];
}

const readTable = (words: PostgresWords): StatementTarget[] => readOne('table', words);

/** `a, b.c, f(int, text)`, each of which may have a `*` behind it. */
function readList(kind: Kind, words: PostgresWords): StatementTarget[] {
  const targets: StatementTarget[] = [];
  do {
    targets.push(...readOne(kind, words));
    words.parenthesised();
    words.acceptSymbol('*');
  } while (words.acceptSymbol(','));
  return targets;
}

/** `[name] ON [ONLY] table`; the index is in the schema of its table. */
function readIndex(words: PostgresWords): StatementTarget[] {
  const index = words.follows('ON') ? undefined : words.name();
  if (!words.accept('ON')) return [];
  const [table] = readTable(words);
  if (table === undefined) return [];
  const { schema, name } = table;
  // The server makes the name up.
  if (index === undefined) return [table];
  return [{ kind: 'index', schema, name: index.name, table: name }];
}

/** `name … ON table` */
function readOfTable(kind: Kind, words: PostgresWords): StatementTarget[] {
  const found = words.name();
  if (found === undefined) return [];
  // A rule says TO: `CREATE RULE r AS ON INSERT TO t`.
  const before = words.skipTo('ON');
  if (before !== undefined && words.follows('SELECT', 'INSERT', 'UPDATE', 'DELETE')) words.skipTo('TO');
  const [table] = before === undefined ? [] : readTable(words);
  return [{ kind, schema: table?.schema, name: found.name, table: table?.name }];
}

/** `COPY t (a, b) FROM …`; what is copied to the outside is not changed. */
function readCopied(words: PostgresWords): StatementTarget[] {
  words.accept('BINARY');
  const table = readTable(words);
  words.parenthesised();
  return words.accept('FROM') ? table : [];
}
