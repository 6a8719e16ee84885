import type { MigrationSession } from '../database/session.js';
import type { SentStatement } from './landed.js';
import { describeVerdict, judgeMysqlDdl } from './mysql-ddl-algorithm.js';
import type { StatementTarget } from './traits.js';

/** What a statement would be, for people; `refused`: the server would not take it. */
export interface Judgement {
  readonly how: string;
  readonly refused?: true;
}

/** What earlier statements of the run would do to a table, and where they stand. */
interface Earlier {
  readonly does: 'creates' | 'changes' | 'drops';
  readonly place: string;
}

const ROW_CHANGES = /^(?:INSERT|UPDATE|DELETE|REPLACE|LOAD|CALL|WITH)\b/;
/** They do what is not to be read from them, or move the names of what follows to another schema. */
const OPAQUE = /^(?:CALL|EXECUTE|USE)\b/;
const CREATES = /^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMPORARY\s+)?TABLE\b/i;
const MAY_BE_THERE = /\bOR\s+REPLACE\b|\bIF\s+NOT\s+EXISTS\b|\bTEMPORARY\b/i;
const MAY_BE_MISSING = /\bIF\s+EXISTS\b/i;

/**
 * Says what the statements of a dry run would be, one after the other, and runs none. It knows what earlier ones of the
 * run do to a table: what rests on them is said to depend on them, never to be refused.
 */
export class MysqlDdlJudge {
  readonly #earlier = new Map<string, Earlier>();
  #opaque: string | undefined;

  /** From here on nobody can tell which tables are there: a migration in code. */
  passOpaque(place: string): void {
    this.#opaque ??= place;
  }

  async judge(session: MigrationSession, sent: SentStatement, place: string): Promise<Judgement> {
    const { command, standsAlone, targets } = sent.traits;
    const { text } = sent.statement;
    if (OPAQUE.test(command)) this.passOpaque(place);
    if (!standsAlone) return { how: ROW_CHANGES.test(command) ? 'row changes' : 'changes no table' };
    const tables = targets.filter(({ kind }) => kind === 'table' || kind === 'index').map(tableOf);
    if (CREATES.test(text)) return this.#create(session, tables[0], { text, place });
    if (command === 'DROP TABLE') return this.#drop(session, tables, { text, place });
    const [table] = tables;
    if (table === undefined)
      return { how: describeVerdict(await judgeMysqlDdl(session, sent)) || 'changes no table that is there' };
    const missing = await this.#missing(session, table, text);
    const earlier = this.#earlier.get(keyOf(table));
    const renames = command === 'RENAME TABLE' || (command === 'ALTER TABLE' && tables.length > 1);
    tables.forEach((each, index) =>
      this.#note(each, {
        does: !renames ? (earlier?.does ?? 'changes') : index % 2 === 0 ? 'drops' : 'creates',
        place,
      }),
    );
    if (missing) return missing;
    if (earlier?.does === 'creates') return { how: `its table is created by ${earlier.place}` };
    const verdict = await judgeMysqlDdl(session, sent);
    if (!verdict.refused) return { how: describeVerdict(verdict) || 'changes no table that is there' };
    const cause = earlier?.place ?? this.#opaque;
    return cause === undefined
      ? { how: describeVerdict(verdict), refused: true }
      : { how: `depends on ${cause}, which is not run: without it ${verdict.note}` };
  }

  async #create(
    session: MigrationSession,
    table: StatementTarget | undefined,
    { text, place }: Written,
  ): Promise<Judgement> {
    if (table === undefined) return { how: 'creates a table' };
    const earlier = this.#earlier.get(keyOf(table));
    const head = text.slice(0, text.indexOf('(') + 1 || undefined);
    const isThere = earlier
      ? earlier.does !== 'drops'
      : (await rowsOf(session, table)) !== undefined && this.#opaque === undefined;
    this.#note(table, { does: 'creates', place });
    return isThere && !MAY_BE_THERE.test(head)
      ? { how: 'there is such a table already: the statement would fail', refused: true }
      : { how: 'changes no table that is there' };
  }

  async #drop(
    session: MigrationSession,
    tables: readonly StatementTarget[],
    { text, place }: Written,
  ): Promise<Judgement> {
    const told: string[] = [];
    let refused = false;
    for (const table of tables) {
      const earlier = this.#earlier.get(keyOf(table));
      const missing = await this.#missing(session, table, text);
      const rows = earlier?.does === 'creates' ? undefined : await rowsOf(session, table);
      if (missing) told.push(missing.how);
      else if (rows !== undefined)
        told.push(`drops ${table.name}, a table that is there, with about ${rows} rows`);
      else told.push(`drops ${table.name}, which ${earlier?.place ?? 'nobody'} creates`);
      refused ||= missing?.refused ?? false;
      this.#note(table, { does: 'drops', place });
    }
    return { how: told.join('; '), ...(refused && { refused: true as const }) };
  }

  /** Undefined for a table that is there when the statement comes. */
  async #missing(
    session: MigrationSession,
    table: StatementTarget,
    text: string,
  ): Promise<Judgement | undefined> {
    const earlier = this.#earlier.get(keyOf(table));
    if (earlier ? earlier.does !== 'drops' : (await rowsOf(session, table)) !== undefined) return undefined;
    const why = earlier
      ? `${earlier.place} drops or renames its table`
      : `the table ${table.name} does not exist`;
    if (MAY_BE_MISSING.test(text)) return { how: `${why}: nothing to do` };
    if (this.#opaque !== undefined)
      return { how: `depends on ${this.#opaque}, which is not run: ${why} now` };
    return { how: `${why}: the statement would fail`, refused: true };
  }

  #note(table: StatementTarget, earlier: Earlier): void {
    this.#earlier.set(keyOf(table), earlier);
  }
}

interface Written {
  readonly text: string;
  readonly place: string;
}

function tableOf(target: StatementTarget): StatementTarget {
  return target.kind === 'index' ? { ...target, kind: 'table', name: target.table ?? target.name } : target;
}

function keyOf({ schema, name }: StatementTarget): string {
  return `${schema ?? ''}.${name}`;
}

/** The server's estimate; undefined where there is no such table. */
async function rowsOf(
  session: MigrationSession,
  { schema, name }: StatementTarget,
): Promise<number | undefined> {
  const [row] = await session.query<{ estimate: number | string | null }>(
    'SELECT table_rows AS estimate FROM information_schema.tables WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?',
    [schema ?? null, name],
  );
  return row && Number(row.estimate ?? 0);
}
