import type { MigrationSession } from '../database/session.js';
import type { LandedCheck } from './landed.js';
import { questionOf } from './postgres-questions.js';
import type { StatementTarget, StatementTraits } from './traits.js';

/** Doing it twice does no harm. A REINDEX begins by building new indexes beside the old ones, and leaves these in place when it fails. */
const REPEATABLE =
  /^(?:VACUUM|ANALYZE|CLUSTER|REPACK|CHECKPOINT|ALTER SYSTEM|ALTER DATABASE|DISCARD|REINDEX|REFRESH|LOAD)\b/;
const BUILDS_INDEX = /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY$/;
const REBUILDS_INDEXES = /^REINDEX \w+ CONCURRENTLY$/;

/**
 * Tells of what PostgreSQL runs outside of transactions whether it took effect. The rest needs no question: it commits
 * together with its row of the journal.
 *
 * An index that was not finished is INVALID: it counts as not landed, and {@link LandedCheck.removeTraces} drops it. A
 * DETACH PARTITION CONCURRENTLY that stopped half-way can only go on, so `landed` ends it with FINALIZE.
 */
export const postgresLanded: LandedCheck<string> = {
  async fingerprint(session, sent) {
    if (REPEATABLE.test(sent.traits.command)) return 'repeatable';
    return questionOf(sent)?.ask(session);
  },

  async landed(session, { fingerprint, ...sent }) {
    if (fingerprint === 'repeatable') return 'not landed';
    const question = questionOf(sent);
    if (question === undefined || fingerprint === undefined) return 'unknown';
    const now = await question.ask(session);
    if (now === question.halfWay?.state) {
      await session.query(question.halfWay.goOn(session));
      return 'landed';
    }
    return question.judge(fingerprint, now);
  },

  leavesTraces: ({ command }) => BUILDS_INDEX.test(command) || REBUILDS_INDEXES.test(command),

  async removeTraces(session, traits) {
    for (const { schema, name } of await readTraces(session, traits))
      await session.query(
        `DROP INDEX CONCURRENTLY IF EXISTS ${session.quote(schema)}.${session.quote(name)}`,
      );
  },
};

interface IndexName {
  readonly schema: string;
  readonly name: string;
}

const INVALID_INDEXES = `SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid`;
/** What REINDEX CONCURRENTLY calls the new and the old indexes, unless one is being built now. */
const LEFT_BY_REINDEX = `c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname <> 'pg_toast'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)`;

async function readTraces(
  session: MigrationSession,
  { command, targets }: StatementTraits,
): Promise<readonly IndexName[]> {
  const [target] = targets;
  if (target === undefined) return [];
  if (BUILDS_INDEX.test(command) && target.kind === 'index')
    return session.query<IndexName>(`${INVALID_INDEXES} AND i.indexrelid = pg_catalog.to_regclass($1)`, [
      pathOf(session, target),
    ]);
  if (!REBUILDS_INDEXES.test(command)) return [];
  if (target.kind === 'schema')
    return session.query<IndexName>(`${INVALID_INDEXES} AND ${LEFT_BY_REINDEX} AND n.nspname = $1`, [
      target.name,
    ]);
  if (target.kind === 'index' || target.kind === 'table')
    return session.query<IndexName>(
      `${INVALID_INDEXES} AND ${LEFT_BY_REINDEX} AND i.indrelid IN (
         SELECT pg_catalog.to_regclass($1) UNION SELECT indrelid FROM pg_catalog.pg_index
          WHERE indexrelid = pg_catalog.to_regclass($1))`,
      [pathOf(session, target)],
    );
  return session.query<IndexName>(`${INVALID_INDEXES} AND ${LEFT_BY_REINDEX}`);
}

function pathOf(session: MigrationSession, { schema, name }: StatementTarget): string {
  return [schema, name].flatMap((part) => (part === undefined ? [] : [session.quote(part)])).join('.');
}
