import { postgresLanded } from '../sql/postgres-landed.js';
import { readPostgresSessionUse } from '../sql/postgres-session-use.js';
import { splitPostgres } from '../sql/postgres-splitter.js';
import { readPostgresTraits } from '../sql/postgres-traits.js';
import type { Language } from './language.js';

export const postgresLanguage: Language = {
  split: splitPostgres,
  readTraits: readPostgresTraits,
  readSessionUse: readPostgresSessionUse,
  landed: postgresLanded,
  createJudge: () => ({ passOpaque: () => {}, judge: () => Promise.resolve({ how: 'not run' }) }),
};
