import type { MigrationSession } from '../database/session.js';
import type { LandedCheck, SentStatement } from '../sql/landed.js';
import type { Judgement } from '../sql/mysql-ddl-judge.js';
import type { ReadSessionUse } from '../sql/session-use.js';
import type { SplitScript } from '../sql/statement.js';
import type { ReadTraits } from '../sql/traits.js';

/** Judges the statements of a dry run in their order. */
export interface Judge {
  /** A migration in code stands here, of which nobody knows what it does. */
  passOpaque(place: string): void;
  judge(session: MigrationSession, sent: SentStatement, place: string): Promise<Judgement>;
}

/** What the runner has to know of a database's SQL. */
export interface Language {
  readonly split: SplitScript;
  readonly readTraits: ReadTraits;
  readonly readSessionUse: ReadSessionUse;
  readonly landed: LandedCheck;
  /** What a statement would be, for a dry run on a database that cannot take DDL back. */
  readonly createJudge: () => Judge;
}

const LANGUAGES: Readonly<Record<MigrationSession['dialect'], () => Promise<Language>>> = {
  postgres: async () => (await import('./postgres-language.js')).postgresLanguage,
  mysql: async () => (await import('./mysql-language.js')).mysqlLanguage,
};
const loaded = new Map<MigrationSession['dialect'], Promise<Language>>();

/** Loads what a session's SQL is read with: a run has one database. */
export function languageOf({ dialect }: MigrationSession): Promise<Language> {
  const language = loaded.get(dialect) ?? LANGUAGES[dialect]();
  loaded.set(dialect, language);
  return language;
}
