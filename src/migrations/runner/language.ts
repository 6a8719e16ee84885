import type { MigrationSession } from '../database/session.js';
import type { LandedCheck, SentStatement } from '../sql/landed.js';
import { describeVerdict, judgeMysqlDdl } from '../sql/mysql-ddl-algorithm.js';
import { mysqlLanded } from '../sql/mysql-landed.js';
import { splitMysql } from '../sql/mysql-splitter.js';
import { readMysqlTraits } from '../sql/mysql-traits.js';
import { postgresLanded } from '../sql/postgres-landed.js';
import { splitPostgres } from '../sql/postgres-splitter.js';
import { readPostgresTraits } from '../sql/postgres-traits.js';
import type { SplitScript } from '../sql/statement.js';
import type { ReadTraits } from '../sql/traits.js';

const ROW_CHANGES = /^(?:INSERT|UPDATE|DELETE|REPLACE|LOAD|CALL|WITH)\b/;

/** What the runner has to know of a database's SQL. */
export interface Language {
  readonly split: SplitScript;
  readonly readTraits: ReadTraits;
  readonly landed: LandedCheck;
  /** What a statement would be, for a dry run on a database that cannot take DDL back. */
  readonly judge: (session: MigrationSession, sent: SentStatement) => Promise<string>;
}

const LANGUAGES: Readonly<Record<MigrationSession['dialect'], Language>> = {
  postgres: {
    split: splitPostgres,
    readTraits: readPostgresTraits,
    landed: postgresLanded,
    judge: () => Promise.resolve('not run'),
  },
  mysql: {
    split: splitMysql,
    readTraits: readMysqlTraits,
    landed: mysqlLanded,
    judge: judgeMysql,
  },
};

async function judgeMysql(session: MigrationSession, sent: SentStatement): Promise<string> {
  if (!sent.traits.standsAlone)
    return ROW_CHANGES.test(sent.traits.command) ? 'row changes' : 'changes no table';
  return describeVerdict(await judgeMysqlDdl(session, sent)) || 'changes no table that is there';
}

export function languageOf({ dialect }: MigrationSession): Language {
  return LANGUAGES[dialect];
}
