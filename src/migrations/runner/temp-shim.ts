// TEMP until A's land
import type { StatementTraits } from '../sql/traits.js';
import type { Statement } from '../sql/statement.js';
export const tempTraits =
  (dialect: string) =>
  (statement: Statement): StatementTraits => {
    const t = statement.text.toUpperCase().replace(/\s+/g, ' ');
    const words = /^[A-Z ]+/.exec(t)?.[0]?.trim() ?? '';
    const cic = /^CREATE (UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(\w+)/.exec(t);
    const standsAlone =
      dialect === 'mysql'
        ? /^(CREATE|ALTER|DROP|TRUNCATE|RENAME)/.test(t)
        : cic !== null || t.startsWith('VACUUM');
    return {
      command: cic ? 'CREATE INDEX CONCURRENTLY' : words,
      standsAlone,
      controlsTransaction: /^(BEGIN|COMMIT|ROLLBACK|START TRANSACTION|SET AUTOCOMMIT)/.test(t),
      changesSession: /^SET\b/.test(t) || /SET_CONFIG/.test(t),
      isRecursive: /WITH RECURSIVE/.test(t),
      targets: cic ? [{ kind: 'index', name: cic[2]!.toLowerCase() }] : [],
    };
  };
