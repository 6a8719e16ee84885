import type { MigrationSession } from '../database/session.js';
import type { StatementTarget, StatementTraits } from '../sql/traits.js';
import type { Landed, LandedCheck, SentStatement } from '../sql/landed.js';

/** Doing it twice does no harm. */
const REPEATABLE = /^(?:VACUUM|ANALYZE|CLUSTER|CHECKPOINT|ALTER SYSTEM|DISCARD|REINDEX|LOAD)\b/;
const CREATES = /^CREATE\b/;
const DROPS = /^DROP\b/;

/**
 * For what PostgreSQL runs outside of transactions. The rest needs no question: it commits together with its row of the
 * journal.
 */
export const postgresLanded: LandedCheck = {
  async fingerprint(session, { statement, traits }: SentStatement) {
    if (REPEATABLE.test(traits.command)) return 'repeatable';
    const label = enumLabel(statement.text);
    if (label !== undefined) return 'enum label';
    const target = onlyTarget(traits);
    if (target === undefined || !(CREATES.test(traits.command) || DROPS.test(traits.command)))
      return undefined;
    return find(session, target);
  },

  async landed(session, { statement, traits, fingerprint }): Promise<Landed> {
    if (fingerprint === 'repeatable') return 'not landed';
    const label = enumLabel(statement.text);
    if (label !== undefined) return (await hasEnumLabel(session, label)) ? 'landed' : 'not landed';
    const target = onlyTarget(traits);
    if (target === undefined || fingerprint === undefined) return 'unknown';
    const now = await find(session, target);
    // As before it: it failed, or had nothing to do.
    if (now === fingerprint) return 'not landed';
    return now === (DROPS.test(traits.command) ? 'absent' : 'there') ? 'landed' : 'not landed';
  },

  leavesTraces: ({ command }) => /^(?:CREATE (?:UNIQUE )?INDEX CONCURRENTLY)\b/.test(command),

  async removeTraces(session, traits) {
    const target = onlyTarget(traits);
    if (target === undefined || !this.leavesTraces(traits)) return;
    if ((await find(session, target)) !== 'invalid') return;
    const schema = target.schema === undefined ? '' : `${session.quote(target.schema)}.`;
    await session.query(`DROP INDEX CONCURRENTLY IF EXISTS ${schema}${session.quote(target.name)}`);
  },
};

function onlyTarget({ targets }: StatementTraits): StatementTarget | undefined {
  return targets.length === 1 ? targets[0] : undefined;
}

type Found = 'there' | 'absent' | 'invalid';

async function find(session: MigrationSession, target: StatementTarget): Promise<Found | undefined> {
  switch (target.kind) {
    case 'index': {
      const name = [target.schema, target.name].filter((part) => part !== undefined);
      const [row] = await session.query<{ valid: boolean }>(
        'SELECT indisvalid AS valid FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass($1)',
        [name.map((part) => session.quote(part)).join('.')],
      );
      return row === undefined ? 'absent' : row.valid ? 'there' : 'invalid';
    }
    case 'database': {
      const rows = await session.query('SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1', [
        target.name,
      ]);
      return rows.length > 0 ? 'there' : 'absent';
    }
    default:
      return undefined;
  }
}

interface EnumLabel {
  readonly type: string;
  readonly label: string;
}

/** `ALTER TYPE … ADD VALUE 'label'`, which servers before 12 run alone. */
function enumLabel(text: string): EnumLabel | undefined {
  const [, type, label] =
    /^ALTER\s+TYPE\s+((?:"(?:[^"]|"")+"|[^\s."]+)(?:\.(?:"(?:[^"]|"")+"|[^\s."]+))?)\s+ADD\s+VALUE\s+(?:IF\s+NOT\s+EXISTS\s+)?'((?:[^']|'')*)'/i.exec(
      text,
    ) ?? [];
  return type === undefined || label === undefined ? undefined : { type, label: label.replaceAll("''", "'") };
}

async function hasEnumLabel(session: MigrationSession, { type, label }: EnumLabel): Promise<boolean> {
  const rows = await session.query(
    'SELECT 1 FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype($1) AND enumlabel = $2',
    [type, label],
  );
  return rows.length > 0;
}
