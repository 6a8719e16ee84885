import type { MigrationSession } from '../database/session.js';
import type { Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';
import { NameList } from './name-list.js';

/** Schemas of the server's own, whose tables have such engines too. */
const OWN_SCHEMAS = ['mysql', 'information_schema', 'performance_schema', 'sys'];
const IS_UNPROTECTED = "NOT IN (SELECT engine FROM information_schema.engines WHERE transactions = 'YES')";
/** `of_default`: whether a CREATE TABLE that names no engine would make such a table. */
const SCHEMAS = `
  SELECT schema_name AS name, schema_name = DATABASE() AS is_current, @@default_storage_engine ${IS_UNPROTECTED} AS of_default
    FROM information_schema.schemata`;

// Of one schema where that is enough, by its name: for any other condition the server opens all the tables that it has.
type InSchema = (column: string) => string;
const inOne: InSchema = (column) => `${column} = ?`;
const inAny: InSchema = (column) => `${column} NOT IN ('${OWN_SCHEMAS.join("', '")}')`;
const tables = (isIn: InSchema): string => `
  SELECT table_name AS name FROM information_schema.tables
   WHERE ${isIn('table_schema')} AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND engine ${IS_UNPROTECTED}`;
/** By what a statement may write to a table that it does not name. */
const ways = (isIn: InSchema): string => `
  SELECT table_name AS name, view_definition AS definition FROM information_schema.views WHERE ${isIn('table_schema')}
  UNION ALL SELECT event_object_table, action_statement FROM information_schema.triggers WHERE ${isIn('event_object_schema')}
  UNION ALL SELECT routine_name, routine_definition FROM information_schema.routines WHERE ${isIn('routine_schema')}`;

/** The server forgets its warnings at the next statement that reads a table, a derived one too. */
const CLEARS_WARNINGS = 'DO (SELECT 1 FROM (SELECT 1) AS t)';

/** As DDL writes the engines that everybody uses. */
const SAFE_ENGINE = /\bengine\s*=?\s*[`'"]?(?:innodb|rocksdb)\b/gi;
/** What they do cannot be seen. */
const OPAQUE = /^(?:CALL|EXECUTE|PREPARE|BEGIN|IF|CASE|LOOP|WHILE|REPEAT|FOR|DECLARE)\b/;
/** Runs, or is, a statement that may be put together by others: it may name anything. */
const PUT_TOGETHER = /\b(?:EXECUTE|PREPARE)\b/i;

interface Named {
  readonly name: string;
}

interface Schema extends Named {
  readonly is_current: number | string | null;
  readonly of_default: number | string;
}

interface Way extends Named {
  /** Empty or null where the user may not see it. */
  readonly definition: string | null;
}

/** What a schema has. */
interface Looked {
  readonly tables: readonly Named[];
  /** Absent where they were not asked for. */
  readonly ways: readonly Way[] | undefined;
}

interface Found {
  readonly names: readonly string[];
  readonly elsewhere: readonly string[];
}

interface Known {
  /** Of the tables, and of the ways to them. */
  readonly names: NameList;
  /** Whether a CREATE TABLE without an engine makes one more. */
  readonly byDefault: boolean;
  /** The schemas that were not looked into. */
  readonly elsewhere: NameList;
}

/**
 * The tables of engines without transactions (MyISAM, Aria, MEMORY), which keep what was written to them whatever becomes
 * of the transaction. They are asked for once in a run, and again where a statement may have made one.
 *
 * Of a server with many schemas only those are looked into that the statements can come to: the session's own, and those that
 * a statement names. Where a view, a trigger or a routine of these leads to another one, all are: what the user may not see of
 * that one may lead anywhere.
 */
export class UnprotectedTables {
  readonly #session: MigrationSession;
  /** The keys of the schemas that statements came to so far. */
  readonly #reached: Set<string>;
  /** Whether one came by that may have come to any. */
  #isAnyReached = false;
  #schemas: readonly Schema[] | undefined;
  readonly #looked = new Map<string, Looked>();
  #known: Known | undefined;

  /** `home` is the schema that each file begins in. */
  constructor(session: MigrationSession, home: string | null) {
    this.#session = session;
    this.#reached = new Set(home === null ? [] : [NameList.keyOf(home)]);
  }

  /** After what may have made one unseen: a migration in code. */
  forget(): void {
    this.#known = undefined;
    this.#schemas = undefined;
    this.#looked.clear();
  }

  /** Takes a statement that is about to be sent by itself: what it may have made is asked for after it. */
  pass(statement: Statement, traits: StatementTraits): void {
    if (this.#known === undefined) return;
    const comesElsewhere = this.#reach(statement, traits, this.#known);
    const mayMakeSome =
      mayHaveSome(this.#known) || OPAQUE.test(traits.command) || namesEngine(statement.text);
    if (comesElsewhere || mayMakeSome) this.forget();
  }

  /** Whether it is known without asking that there are none, and none of these statements makes one. */
  areSurelyNone(statements: readonly Statement[]): boolean {
    const known = this.#known;
    if (known === undefined || mayHaveSome(known)) return false;
    return !statements.some(
      ({ text }) => namesEngine(text) || (hasQualifiedName(text) && known.elsewhere.areIn(text)),
    );
  }

  /** Whether a statement that is about to be sent may write to one: it holds its name, or that of a way to it. */
  async mayBeIn(statement: Statement, traits: StatementTraits): Promise<boolean> {
    if (this.#session.dialect !== 'mysql') return false;
    let known = (this.#known ??= await this.#ask());
    if (this.#reach(statement, traits, known)) known = this.#known = await this.#ask();
    const { command } = traits;
    const { text } = statement;
    // It changes the engine of the tables that are made after it.
    if (command === 'SET' && namesEngine(text)) this.forget();
    if (known.names.isEmpty) return false;
    return isPutTogether(text, command) || known.names.areIn(text);
  }

  /** Notes the schemas that a statement names. Whether there is a new one among them. */
  #reach({ text }: Statement, { command }: StatementTraits, { elsewhere }: Known): boolean {
    if (elsewhere.isEmpty) return false;
    if (isPutTogether(text, command)) return (this.#isAnyReached = true);
    if (command !== 'USE' && !hasQualifiedName(text)) return false;
    const found = elsewhere.foundIn(text);
    for (const name of found) this.#reached.add(name);
    return found.size > 0;
  }

  async #ask(): Promise<Known> {
    const all = (this.#schemas ??= await this.#session.query<Schema>(SCHEMAS));
    for (const { name, is_current: isCurrent } of all)
      if (Number(isCurrent) === 1) this.#reached.add(NameList.keyOf(name));
    const others = namesOf(all).filter((name) => !OWN_SCHEMAS.includes(name.toLowerCase()));
    const { names, elsewhere } = (await this.#lookWhereReached(others)) ?? (await this.#lookEverywhere());
    // A table that is being changed just now is skipped with a warning, which a statement without a table would be blamed for.
    this.#session.defer({ text: CLEARS_WARNINGS });
    const byDefault = all.some(({ of_default: ofDefault }) => Number(ofDefault) === 1);
    return { names: new NameList(names), elsewhere: new NameList(elsewhere), byDefault };
  }

  /** Undefined where statements may come to any schema. */
  async #lookWhereReached(schemas: readonly string[]): Promise<Found | undefined> {
    if (this.#isAnyReached) return undefined;
    const isReached = (name: string): boolean => this.#reached.has(NameList.keyOf(name));
    const elsewhere = schemas.filter((name) => !isReached(name));
    const leadsAway = waysLeadTo(elsewhere);
    for (const schema of schemas.filter(isReached)) {
      if (this.#looked.has(schema)) continue;
      const found = await this.#session.query<Named>(tables(inOne), [schema]);
      // Where they lead to matters only while there is somewhere else.
      const around = elsewhere.length > 0 ? await this.#waysFrom(schema) : undefined;
      this.#isAnyReached ||= leadsAway(around ?? []);
      this.#looked.set(schema, { tables: found, ways: around });
    }
    if (this.#isAnyReached) return undefined;
    const names = [...this.#looked.values()].flatMap((each) => namesOf(each.tables));
    if (names.length > 0)
      for (const [schema, { ways: known }] of this.#looked)
        names.push(...namesOf(known ?? (await this.#waysFrom(schema))));
    return { names, elsewhere };
  }

  async #lookEverywhere(): Promise<Found> {
    const found = await this.#session.query<Named>(tables(inAny));
    const around = found.length === 0 ? [] : await this.#session.query<Way>(ways(inAny));
    return { names: namesOf([...found, ...around]), elsewhere: [] };
  }

  #waysFrom(schema: string): Promise<Way[]> {
    return this.#session.query<Way>(ways(inOne), [schema, schema, schema]);
  }
}

/** Whether ways may lead to one of the schemas. */
function waysLeadTo(schemas: readonly string[]): (around: readonly Way[]) => boolean {
  const names = new NameList(schemas);
  return (around) =>
    around.some(({ definition }) => !definition || PUT_TOGETHER.test(definition) || names.areIn(definition));
}

function mayHaveSome({ names, byDefault }: Known): boolean {
  return byDefault || !names.isEmpty;
}

function namesOf(rows: readonly Named[]): string[] {
  return rows.map(({ name }) => name);
}

function isPutTogether(text: string, command: string): boolean {
  return (OPAQUE.test(command) || command.startsWith('CREATE')) && PUT_TOGETHER.test(text);
}

/** Or anything else with a dot. */
function hasQualifiedName(text: string): boolean {
  return text.includes('.');
}

function namesEngine(text: string): boolean {
  return /engine/i.test(text.replace(SAFE_ENGINE, ''));
}
