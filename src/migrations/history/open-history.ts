import { InvalidOptionsError } from '../../core/index.js';
import type { MigrationSession } from '../database/session.js';
import { MissingRightsError } from '../errors.js';
import type { ParsedHistoryOptions } from '../options.js';
import type { History } from './history.js';
import { PrismaHistory } from './prisma-history.js';
import { RankedHistory } from './ranked-history.js';
import { placeOf, type SessionPlace } from './table-dialect.js';

/**
 * The history that the options name. Its schema is settled here, once: a migration may empty the search path, so every
 * statement on the table says where it is. Where there is none to create it in, throws `MissingRightsError`, and
 * `InvalidOptionsError` on MySQL, where the url has to name it.
 */
export async function openHistory(
  session: MigrationSession,
  options: ParsedHistoryOptions,
  here?: SessionPlace,
): Promise<History> {
  const { schema: current, user } = here ?? (await placeOf(session));
  const schema = options.schema ?? current;
  if (schema == null) {
    if (session.dialect === 'mysql')
      throw new InvalidOptionsError(
        'The url names no database. Put it at its end: mysql://host:3306/DATABASE. (Of a pool: its option `database`.)',
      );
    throw new MissingRightsError(
      'No schema of the search path exists, or the user may use none of them. Name one with `schema`, or GRANT USAGE ON SCHEMA public TO the user.',
    );
  }
  const place = { schema, name: options.table, user };
  return options.format === 'prisma'
    ? new PrismaHistory(place, session.dialect)
    : new RankedHistory(options.format, place, session.dialect);
}
