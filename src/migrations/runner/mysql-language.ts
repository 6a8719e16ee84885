import { MysqlDdlJudge } from '../sql/mysql-ddl-judge.js';
import { mysqlLanded } from '../sql/mysql-landed.js';
import { readMysqlSessionUse } from '../sql/mysql-session-use.js';
import { splitMysql } from '../sql/mysql-splitter.js';
import { readMysqlTraits } from '../sql/mysql-traits.js';
import type { Language } from './language.js';

export const mysqlLanguage: Language = {
  split: splitMysql,
  readTraits: readMysqlTraits,
  readSessionUse: readMysqlSessionUse,
  landed: mysqlLanded,
  createJudge: () => new MysqlDdlJudge(),
};
