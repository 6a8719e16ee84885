import type { MigrationSession } from '../database/session.js';
import type { LandedCheck, SentStatement } from '../sql/landed.js';
import { type Judgement, MysqlDdlJudge } from '../sql/mysql-ddl-judge.js';
import { mysqlLanded } from '../sql/mysql-landed.js';
import { readMysqlSessionUse } from '../sql/mysql-session-use.js';
import { splitMysql } from '../sql/mysql-splitter.js';
import { readMysqlTraits } from '../sql/mysql-traits.js';
import { postgresLanded } from '../sql/postgres-landed.js';
import { readPostgresSessionUse } from '../sql/postgres-session-use.js';
import { splitPostgres } from '../sql/postgres-splitter.js';
import { readPostgresTraits } from '../sql/postgres-traits.js';
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

const LANGUAGES: Readonly<Record<MigrationSession['dialect'], Language>> = {
  postgres: {
    split: splitPostgres,
    readTraits: readPostgresTraits,
    readSessionUse: readPostgresSessionUse,
    landed: postgresLanded,
    createJudge: () => ({ passOpaque: () => {}, judge: () => Promise.resolve({ how: 'not run' }) }),
  },
  mysql: {
    split: splitMysql,
    readTraits: readMysqlTraits,
    readSessionUse: readMysqlSessionUse,
    landed: mysqlLanded,
    createJudge: () => new MysqlDdlJudge(),
  },
};

export function languageOf({ dialect }: MigrationSession): Language {
  return LANGUAGES[dialect];
}
