import { ISOLATION_LEVELS, postgresDialect } from '../../src/core/index.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();

const begins = [
  { isolationLevel: undefined, readOnly: false, text: 'BEGIN', level: 'read committed' },
  { isolationLevel: undefined, readOnly: true, text: 'BEGIN READ ONLY', level: 'read committed' },
  ...ISOLATION_LEVELS.flatMap((isolationLevel) => [
    {
      isolationLevel,
      readOnly: false,
      text: `BEGIN ISOLATION LEVEL ${isolationLevel}`,
      level: isolationLevel.toLowerCase(),
    },
    {
      isolationLevel,
      readOnly: true,
      text: `BEGIN ISOLATION LEVEL ${isolationLevel} READ ONLY`,
      level: isolationLevel.toLowerCase(),
    },
  ]),
];

test.each(begins)('"$text" is what PostgreSQL takes for it', async ({ text, level, ...options }) => {
  expect(postgresDialect.begin(options)).toEqual([text]);
  const client = await db.client();
  await client.query(text);
  const { rows } = await client.query<{ level: string; readOnly: string }>(
    `SELECT current_setting('transaction_isolation') AS level, current_setting('transaction_read_only') AS "readOnly"`,
  );
  await client.query('ROLLBACK');
  expect(rows).toEqual([{ level, readOnly: options.readOnly ? 'on' : 'off' }]);
});

test('a savepoint can be released, or undone and gone', async () => {
  const client = await db.client();
  const exists = async (name: string): Promise<boolean> => {
    await client.query('SAVEPOINT probe');
    const found = await client.query(postgresDialect.releaseSavepoint(name)).then(
      () => true,
      () => false,
    );
    if (!found) await client.query('ROLLBACK TO SAVEPOINT probe');
    return found;
  };
  await client.query('BEGIN');
  await client.query(postgresDialect.savepoint('holdfast_1'));
  await client.query("INSERT INTO entry (label) VALUES ('kept')");
  await client.query(postgresDialect.releaseSavepoint('holdfast_1'));
  expect(await exists('holdfast_1')).toBe(false);

  await client.query(postgresDialect.savepoint('holdfast_2'));
  await client.query("INSERT INTO entry (label) VALUES ('undone')");
  await client.query(postgresDialect.undoSavepoint('holdfast_2'));
  expect(await exists('holdfast_2')).toBe(false);
  await client.query('COMMIT');
  expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'kept' }]);
});

test('an undone savepoint heals a transaction that had failed inside it', async () => {
  const client = await db.client();
  await client.query('BEGIN');
  await client.query(postgresDialect.savepoint('holdfast_1'));
  await expect(client.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
  await client.query(postgresDialect.undoSavepoint('holdfast_1'));
  await expect(client.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
  await client.query('ROLLBACK');
});

test('a serialization failure of the server is among the retryable codes', async () => {
  await db.query("INSERT INTO account (owner) VALUES ('ada')");
  const [first, second] = [await db.client(), await db.client()];
  for (const client of [first, second]) {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query('SELECT balance FROM account');
  }
  await first.query('UPDATE account SET balance = balance + 1');
  await first.query('COMMIT');
  const failure = await second
    .query('UPDATE account SET balance = balance + 1')
    .catch((error: unknown) => error);
  await second.query('ROLLBACK');
  expect(postgresDialect.retryableCodes.get((failure as { code: string }).code)).toBe(
    'serialization failure',
  );
});

test('a deadlock of the server is among the retryable codes', async () => {
  const [first, second] = [await db.client(), await db.client()];
  for (const client of [first, second]) await client.query("BEGIN; SET LOCAL deadlock_timeout = '10ms'");
  await first.query('SELECT pg_advisory_xact_lock(1)');
  await second.query('SELECT pg_advisory_xact_lock(2)');
  const ends = await Promise.allSettled([
    first.query('SELECT pg_advisory_xact_lock(2)').finally(() => first.query('ROLLBACK')),
    second.query('SELECT pg_advisory_xact_lock(1)').finally(() => second.query('ROLLBACK')),
  ]);
  const codes = ends.flatMap((end) =>
    end.status === 'rejected' ? [(end.reason as { code: string }).code] : [],
  );
  expect(codes.map((code) => postgresDialect.retryableCodes.get(code))).toEqual(['deadlock detected']);
});
