import type { MigrationSession } from '../database/session.js';
import type { Statement } from '../sql/statement.js';
import type { StatementTraits } from '../sql/traits.js';

/** Schemas of the server's own, whose tables have such engines too. */
const OWN_SCHEMAS = "('mysql', 'information_schema', 'performance_schema', 'sys')";
const IS_UNPROTECTED = "NOT IN (SELECT engine FROM information_schema.engines WHERE transactions = 'YES')";
/** The second part has a row where a CREATE TABLE that names no engine would make such a table. */
const TABLES = `
  SELECT table_name AS name, 0 AS of_default FROM information_schema.tables
   WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ${OWN_SCHEMAS} AND engine ${IS_UNPROTECTED}
  UNION ALL SELECT '', 1 FROM DUAL WHERE @@default_storage_engine ${IS_UNPROTECTED}`;
/** By what a statement may write to a table that it does not name. */
const WAYS_TO_THEM = `
  SELECT table_name AS name FROM information_schema.views WHERE table_schema NOT IN ${OWN_SCHEMAS}
  UNION SELECT event_object_table FROM information_schema.triggers WHERE trigger_schema NOT IN ${OWN_SCHEMAS}
  UNION SELECT routine_name FROM information_schema.routines WHERE routine_schema NOT IN ${OWN_SCHEMAS}`;

/** The server forgets its warnings at the next statement that reads a table, a derived one too. */
const CLEARS_WARNINGS = 'DO (SELECT 1 FROM (SELECT 1) AS t)';

/** As DDL writes the engines that everybody uses. */
const SAFE_ENGINE = /\bengine\s*=?\s*[`'"]?(?:innodb|rocksdb)\b/gi;
/** What they do cannot be seen. */
const OPAQUE = /^(?:CALL|EXECUTE|BEGIN|IF|CASE|LOOP|WHILE|REPEAT|FOR|DECLARE)\b/;
const WORD = /[\p{L}\p{N}_$]+/gu;

interface Known {
  /** In lower case: of the tables, and of the ways to them. */
  readonly names: ReadonlySet<string>;
  /** Those that are no single word. */
  readonly others: readonly string[];
  /** Whether a CREATE TABLE without an engine makes one more. */
  readonly byDefault: boolean;
}

/**
 * The tables of engines without transactions (MyISAM, Aria, MEMORY), which keep what was written to them whatever becomes
 * of the transaction. They are asked for once in a run, and again where a statement may have made one.
 */
export class UnprotectedTables {
  readonly #session: MigrationSession;
  #known: Known | undefined;

  constructor(session: MigrationSession) {
    this.#session = session;
  }

  /** After what may have made one unseen: a migration in code. */
  forget(): void {
    this.#known = undefined;
  }

  /** Takes a statement that is about to be sent by itself: what it may have made is asked for after it. */
  pass({ text }: Statement, { command }: StatementTraits): void {
    if (this.#known === undefined) return;
    if (mayHaveSome(this.#known) || OPAQUE.test(command) || namesEngine(text)) this.forget();
  }

  /** Whether it is known without asking that there are none, and none of these statements makes one. */
  areSurelyNone(statements: readonly Statement[]): boolean {
    if (this.#known === undefined || mayHaveSome(this.#known)) return false;
    return !statements.some(({ text }) => namesEngine(text));
  }

  /** Whether a statement that is about to be sent may write to one: it holds its name, or that of a way to it. */
  async mayBeIn({ text }: Statement, { command }: StatementTraits): Promise<boolean> {
    if (this.#session.dialect !== 'mysql') return false;
    const known = (this.#known ??= await this.#ask());
    // It changes the engine of the tables that are made after it.
    if (command === 'SET' && namesEngine(text)) this.forget();
    return isNamedIn(text, command, known);
  }

  async #ask(): Promise<Known> {
    const rows = await this.#session.query<{ name: string; of_default: number | string }>(TABLES);
    const tables = rows.filter(({ of_default }) => Number(of_default) === 0);
    const ways = tables.length === 0 ? [] : await this.#session.query<{ name: string }>(WAYS_TO_THEM);
    // A table that is being changed just now is skipped with a warning, which a statement without a table would be blamed for.
    this.#session.defer({ text: CLEARS_WARNINGS });
    const all = [...tables, ...ways].map(({ name }) => name.toLowerCase());
    const isWord = (name: string): boolean => name.replace(WORD, '') === '';
    return {
      names: new Set(all.filter(isWord)),
      others: all.filter((name) => !isWord(name)),
      byDefault: rows.length > tables.length,
    };
  }
}

function mayHaveSome({ names, others, byDefault }: Known): boolean {
  return byDefault || names.size + others.length > 0;
}

function isNamedIn(text: string, command: string, { names, others }: Known): boolean {
  if (names.size + others.length === 0) return false;
  if (/^(?:EXECUTE|PREPARE)\b/.test(command)) return true;
  const lower = text.toLowerCase();
  for (const [word] of lower.matchAll(WORD)) if (names.has(word)) return true;
  return others.some((name) => lower.includes(name));
}

function namesEngine(text: string): boolean {
  return /engine/i.test(text.replace(SAFE_ENGINE, ''));
}
