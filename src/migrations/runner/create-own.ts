import { messageOf } from '../../core/index.js';
import { explainDatabaseError } from '../database/explain-error.js';
import { MissingRightsError } from '../errors.js';
import { createMissingSchema } from '../history/table-dialect.js';
import type { RunContext } from './run-context.js';
import { inTransaction } from './transaction.js';

/** Creates the schema that is named for what migrations create: without it they would go into the next one of the search path. */
export async function createHome({ session, history, home }: RunContext): Promise<void> {
  if (home !== undefined && home !== history.schema) await createMissingSchema(session, home);
}

/** Creates the table of the history. Only under the lock. Throws `MissingRightsError` naming the grant. */
export async function createOwn({ session, history, emit }: RunContext): Promise<void> {
  try {
    await inTransaction(session, () => history.create(session));
  } catch (error) {
    const { kind } = explainDatabaseError(error);
    if (kind !== 'rights' && kind !== 'read only') throw error;
    const grant =
      session.dialect === 'mysql'
        ? `GRANT CREATE, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE ON ${session.quote(history.schema)}.* TO the user`
        : `GRANT USAGE, CREATE ON SCHEMA ${session.quote(history.schema)} TO ${session.quote(history.user)}`;
    throw new MissingRightsError(
      `The table ${history.table} cannot be created: ${messageOf(error)}. ${grant}, or migrate as the owner of the schema.`,
      { cause: error },
    );
  }
  emit({ kind: 'note', message: `Created ${history.table}.` });
}
