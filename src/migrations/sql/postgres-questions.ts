import type { MigrationSession } from '../database/session.js';
import type { Landed, SentStatement } from './landed.js';
import { PostgresWords } from './postgres-words.js';
import type { StatementTarget, StatementTraits } from './traits.js';

/** What the catalogue is asked, before a statement is sent and after a crash. */
export interface Question {
  /** The state in few words. */
  ask(session: MigrationSession): Promise<string>;
  judge(before: string, now: string): Landed;
  /** A state from which only another statement leads on. */
  readonly halfWay?: { readonly state: string; goOn(session: MigrationSession): string };
}

const SUBSCRIPTION_STATE =
  'SELECT subpublications::text AS state FROM pg_catalog.pg_subscription WHERE subname = $1';

/** Undefined for what the catalogue cannot tell. */
export function questionOf({ statement: { text }, traits }: SentStatement): Question | undefined {
  const { command, targets } = traits;
  const [target] = targets;
  const words = new PostgresWords(text);
  switch (command) {
    case 'CREATE INDEX CONCURRENTLY':
    case 'CREATE UNIQUE INDEX CONCURRENTLY':
      return target && (target.kind === 'index' ? createdIndex(target) : unnamedIndex(target));
    case 'DROP INDEX CONCURRENTLY':
      return target && gone((session) => indexState(session, target));
    case 'ALTER TYPE':
      return addedLabel(words);
    case 'ALTER TABLE':
      return target && detached(target, words);
    case 'COMMIT PREPARED':
    case 'ROLLBACK PREPARED':
      return endedTransaction(words);
    case 'ALTER SUBSCRIPTION':
      return (
        target && { ask: (session) => stateOf(session, SUBSCRIPTION_STATE, [target.name]), judge: changed }
      );
  }
  return ofObject(traits);
}

const changed: Question['judge'] = (before, now) => (now === before ? 'not landed' : 'landed');

/** A statement that makes it be there: where it was before, it may run again, as IF NOT EXISTS lets it. */
const appeared: Question['judge'] = (before, now) =>
  now === 'there' && before !== 'there' ? 'landed' : 'not landed';

function gone(ask: Question['ask']): Question {
  return { ask, judge: (_, now) => (now === 'absent' ? 'landed' : 'not landed') };
}

async function stateOf(session: MigrationSession, text: string, values: readonly unknown[]): Promise<string> {
  const [row] = await session.query<{ state: string }>(text, values);
  return row?.state ?? 'absent';
}

/** Databases, tablespaces and subscriptions. */
function ofObject({ command, targets: [target] }: StatementTraits): Question | undefined {
  const [, verb, object] = /^(CREATE|DROP) (DATABASE|TABLESPACE|SUBSCRIPTION)$/.exec(command) ?? [];
  if (target === undefined || object === undefined) return undefined;
  const catalogue = {
    DATABASE: 'pg_database WHERE datname',
    TABLESPACE: 'pg_tablespace WHERE spcname',
    SUBSCRIPTION:
      'pg_subscription WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) AND subname',
  }[object]!;
  const ask = (session: MigrationSession): Promise<string> =>
    stateOf(session, `SELECT 'there' AS state FROM pg_catalog.${catalogue} = $1`, [target.name]);
  return verb === 'DROP' ? gone(ask) : { ask, judge: appeared };
}

function quoted(session: MigrationSession, parts: readonly (string | undefined)[]): string {
  return parts.flatMap((part) => (part === undefined ? [] : [session.quote(part)])).join('.');
}

function indexState(session: MigrationSession, { schema, name }: StatementTarget): Promise<string> {
  return stateOf(
    session,
    `SELECT CASE WHEN indisvalid THEN 'there' ELSE 'invalid' END AS state
       FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass($1)`,
    [quoted(session, [schema, name])],
  );
}

function createdIndex(target: StatementTarget): Question {
  return { ask: (session) => indexState(session, target), judge: appeared };
}

/** The server makes up the name: the one that is new is told by its number. */
function unnamedIndex({ schema, name }: StatementTarget): Question {
  return {
    ask: (session) =>
      stateOf(
        session,
        `SELECT COALESCE(string_agg(indexrelid || CASE WHEN indisvalid THEN '' ELSE '!' END, ' ' ORDER BY indexrelid), '') AS state
           FROM pg_catalog.pg_index WHERE indrelid = pg_catalog.to_regclass($1)`,
        [quoted(session, [schema, name])],
      ),
    judge(before, now) {
      const known = new Set(before.replaceAll('!', '').split(' '));
      const found = now.split(' ').filter((index) => !known.has(index.replace('!', '')));
      if (found.length === 0) return 'not landed';
      return found.some((index) => index.endsWith('!')) ? 'unknown' : 'landed';
    },
  };
}

/** `ALTER TYPE … ADD VALUE 'label'`, which servers before 12 run alone. */
function addedLabel(words: PostgresWords): Question | undefined {
  words.skipTo('TYPE');
  const type = words.name();
  if (type === undefined || !words.accept('ADD') || !words.accept('VALUE')) return undefined;
  if (words.accept('IF') && words.accept('NOT')) words.accept('EXISTS');
  const label = words.take();
  if (label?.kind !== 'string') return undefined;
  return {
    ask: (session) =>
      stateOf(
        session,
        `SELECT 'there' AS state FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype($1) AND enumlabel = $2`,
        [quoted(session, [type.schema, type.name]), label.value],
      ),
    judge: appeared,
  };
}

/** `ALTER TABLE … DETACH PARTITION child CONCURRENTLY` */
function detached(parent: StatementTarget, words: PostgresWords): Question | undefined {
  if (words.skipTo('DETACH') === undefined || !words.accept('PARTITION')) return undefined;
  const child = words.name();
  if (child === undefined) return undefined;
  const tables = (session: MigrationSession): [string, string] => [
    quoted(session, [parent.schema, parent.name]),
    quoted(session, [child.schema, child.name]),
  ];
  return {
    ...gone((session) =>
      stateOf(
        session,
        // By its name in JSON: PostgreSQL 13 has no such column, and is to say what it thinks of the statement.
        `SELECT CASE pg_catalog.to_jsonb(i) ->> 'inhdetachpending' WHEN 'true' THEN 'pending' ELSE 'there' END AS state
           FROM pg_catalog.pg_inherits i
          WHERE inhparent = pg_catalog.to_regclass($1) AND inhrelid = pg_catalog.to_regclass($2)`,
        tables(session),
      ),
    ),
    halfWay: {
      state: 'pending',
      goOn(session) {
        const [from, which] = tables(session);
        return `ALTER TABLE ${from} DETACH PARTITION ${which} FINALIZE`;
      },
    },
  };
}

function endedTransaction(words: PostgresWords): Question | undefined {
  words.skipTo('PREPARED');
  const id = words.take();
  if (id?.kind !== 'string') return undefined;
  return gone((session) =>
    stateOf(session, "SELECT 'there' AS state FROM pg_catalog.pg_prepared_xacts WHERE gid = $1", [id.value]),
  );
}
