import { describeError } from '../../src/core/index.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();

/** Names that PostgreSQL itself takes for what it raises. */
const conditions = [
  'connection_failure',
  'protocol_violation',
  'feature_not_supported',
  'cardinality_violation',
  'invalid_parameter_value',
  'restrict_violation',
  'idle_in_transaction_session_timeout',
  'transaction_timeout',
  'invalid_password',
  'invalid_catalog_name',
  'serialization_failure',
  'deadlock_detected',
  'undefined_object',
  'datatype_mismatch',
  'duplicate_table',
  'disk_full',
  'out_of_memory',
  'too_many_connections',
  'object_in_use',
  'lock_not_available',
  'query_canceled',
  'admin_shutdown',
  'crash_shutdown',
  'cannot_connect_now',
  'database_dropped',
  'idle_session_timeout',
  'io_error',
  'internal_error',
  'data_corrupted',
  'index_corrupted',
];

/** The version of the server that knows it first. */
const since: Readonly<Record<string, number>> = {
  idle_session_timeout: 140_000,
  transaction_timeout: 170_000,
};

test.each(conditions)('%s is logged by its name', async (condition) => {
  const raised: unknown = await db
    .query(`DO $$ BEGIN RAISE ${condition}; END $$`)
    .catch((error: unknown) => error);
  const isKnown = (await db.serverVersion()) >= (since[condition] ?? 0);
  const message = isKnown ? condition : 'undefined_object';
  expect(describeError(raised)).toMatchObject({ code: expect.any(String), message });
});

test.each([
  ['1062', 'ER_DUP_ENTRY'],
  ['1213', 'ER_LOCK_DEADLOCK'],
  ['1452', 'ER_NO_REFERENCED_ROW_2'],
])('what Prisma hands on of MySQL under the number %s is logged as %s', (originalCode, name) => {
  const error = Object.assign(new Error('driver'), { originalCode, originalMessage: 's3cret' });
  expect(describeError(error)).toMatchObject({ code: originalCode, message: name });
});
